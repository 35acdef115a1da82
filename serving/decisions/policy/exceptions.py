"""Contractual exceptions: what was agreed with some accounts otherwise than with all.

An exception either forbids actions or sets the most that may be taken off a price. Each that forbids is looked at as
a rule of its own, so that its id stands in what it refuses.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from serving.decisions.cover import CODE, Cover

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serving.decisions.catalogue import Action
    from serving.decisions.frame import DecisionFrame


class ContractException(BaseModel):
    """What a contract says of some accounts: those that match every list that is not empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=CODE, description="Unique name; a refusal bears it as its rule.")
    contract: str = Field(min_length=1, description="Where it is written, such as the contract's number.")
    reason: str = Field(min_length=1, description="Why, in a sentence.")
    accounts: tuple[str, ...] = Field(default=(), description="Ids of accounts.")
    plans: tuple[str, ...] = Field(default=(), description="Plans.")
    segments: tuple[str, ...] = Field(default=(), description="Market segments.")
    covers: Cover = Field(default=Cover(), description="Actions that it speaks of; nothing given: all.")
    forbid: bool = Field(default=False, description="Whether those actions may not be taken.")
    discount_max: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="The most that those actions may take off a list price, whatever is usual.",
    )
    begins_at: AwareDatetime | None = Field(
        default=None, description="From when it holds; null: from ever on."
    )
    ends_at: AwareDatetime | None = Field(default=None, description="Until when it holds; null: for good.")

    @model_validator(mode="after")
    def _says_something(self) -> ContractException:
        if not (self.accounts or self.plans or self.segments):
            raise ValueError(f"exception {self.id!r} names neither accounts nor plans nor segments")
        if self.forbid == (self.discount_max is not None):
            raise ValueError(f"exception {self.id!r} needs either `forbid: true` or `discount_max`")
        if self.begins_at and self.ends_at and self.begins_at >= self.ends_at:
            raise ValueError(f"exception {self.id!r} ends before it begins")
        return self

    @property
    def sentence(self) -> str:
        """Why an action is refused."""
        until = "" if self.ends_at is None else f", until {self.ends_at.isoformat()}"
        return f"{self.reason} (contract {self.contract}{until})"

    def holds_for(self, frame: DecisionFrame) -> bool | None:
        """Return whether it holds for the account of *frame* now; None if plan or segment is not known."""
        if self.begins_at is not None and frame.now < self.begins_at:
            return False
        if self.ends_at is not None and frame.now >= self.ends_at:
            return False
        if self.accounts and frame.account_id not in self.accounts:
            return False
        known: bool | None = True
        for name, wanted in (("plan", self.plans), ("segment", self.segments)):
            if wanted:
                value = frame.text(name)
                if value is None:
                    known = None
                elif value not in wanted:
                    return False
        return known


class ExceptionBook:
    """All exceptions of a policy, found by account."""

    def __init__(self, exceptions: Iterable[ContractException]) -> None:
        self._by_account: defaultdict[str, list[ContractException]] = defaultdict(list)
        self._others: list[ContractException] = []
        for one in exceptions:
            for account in one.accounts:
                self._by_account[account].append(one)
            if not one.accounts:
                self._others.append(one)

    def _candidates(self, frame: DecisionFrame) -> Iterator[ContractException]:
        yield from self._by_account.get(frame.account_id, ())
        yield from self._others

    def forbidding(self, frame: DecisionFrame) -> tuple[str, ...]:
        """Return the ids of what forbids something to the account now; whoever may be meant counts as meant."""
        return tuple(
            one.id for one in self._candidates(frame) if one.forbid and one.holds_for(frame) is not False
        )

    def discount_max(self, frame: DecisionFrame, action: Action) -> float | None:
        """Return the most that *action* may take off for the account now, by contract; None if no contract says.

        Of several the least holds. Who may be meant, but is not known well enough, gets no discount.
        """
        found = [
            (one.holds_for(frame), one.discount_max)
            for one in self._candidates(frame)
            if one.discount_max is not None and one.covers.covers(action)
        ]
        bounds = [0.0 if holds is None else most for holds, most in found if holds is not False]
        return min(bounds, default=None)

    def next_change(self, frame: DecisionFrame) -> list[AwareDatetime]:
        """Return when exceptions begin, or end, that speak of the account."""
        return [
            time
            for one in self._candidates(frame)
            for time in (one.begins_at, one.ends_at)
            if time is not None and time > frame.now
        ]
