"""Frequency caps and budgets: how much of something may be used within a rolling window.

A cap counts actions, money or people's minutes, separately for each value of what it is `per`. What was used is part
of the decision frame, so that a decision remains a pure function; `serving.caps` counts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.decisions.cover import CODE, Cover

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from serving.decisions.catalogue import Action
    from serving.decisions.frame import DecisionFrame

Unit = Literal["actions", "cost", "csm_minutes"]
Dimension = Literal["channel", "action", "playbook", "region", "segment", "account"]
Lane = Literal["interactive", "batch"]
DIMENSIONS: Final[tuple[Dimension, ...]] = ("channel", "action", "playbook", "region", "segment", "account")
"""The account comes last in a key: its text may hold any character. Regions and segments are quoted."""
COHORTS: Final[tuple[Dimension, ...]] = ("region", "segment")
"""What groups of accounts are told apart by."""
DAY_SECONDS: Final = 86_400
MINOR_UNITS: Final = 100
MOST_ACTIONS: Final = 1_000
"""Actions of which is remembered what caps cover them."""
SEPARATOR: Final = "|"
CUSTOMER_SURFACES: Final = frozenset({"in_app", "email"})
"""Where the customer sees an action; on the others, people of the company do, and nothing is used of caps."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Which groups an account belongs to; those of whom one is not known are a group of their own, named by nothing.

    Attributes:
        region: Its region.
        segment: Its market segment.
    """

    region: str = ""
    segment: str = ""


def cohort_of(frame: DecisionFrame) -> Cohort:
    """Return the groups that the account of *frame* belongs to."""
    return Cohort(frame.text("region") or "", frame.text("segment") or "")


class Cap(BaseModel):
    """At most `limit` of `unit` within any `window_days` for each value of `per`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=CODE, description="Unique name; a refusal bears it as its rule.")
    covers: Cover = Field(default=Cover(), description="Actions that count; nothing given: all.")
    lanes: tuple[Lane, ...] = Field(
        default=(),
        description="`interactive` or `batch`, to give each a budget of its own; nothing given: both.",
    )
    per: tuple[Dimension, ...] = Field(
        default=("account",), description="What is counted apart; an empty list counts the whole company."
    )
    unit: Unit = Field(default="actions", description="What is counted.")
    limit: float = Field(ge=0, description="The most that may be used within the window.")
    window_days: float = Field(gt=0, le=400, description="Length of the rolling window.")
    on_breach: Literal["refuse", "draft"] = Field(
        default="refuse", description="`draft`: an action beyond the limit may be prepared, but not shown."
    )
    text: str = Field(
        default="", description="Why an action is refused, in a sentence; one is made if not given."
    )

    @model_validator(mode="after")
    def _countable(self) -> Cap:
        if len(set(self.per)) != len(self.per):
            raise ValueError(f"cap {self.id!r} names a dimension twice in `per`")
        return self

    @cached_property
    def limit_units(self) -> int:
        """The limit as it is counted: actions, minutes, or money in minor units."""
        return whole_units(self.unit, self.limit)

    @cached_property
    def window_seconds(self) -> int:
        """Length of the window."""
        return round(self.window_days * DAY_SECONDS)

    @cached_property
    def by_cohort(self) -> bool:
        """Whether groups of accounts are counted apart."""
        return any(name in self.per for name in COHORTS)

    def key(self, action: Action, account_id: str, cohort: Cohort | None = None) -> str:
        """Return the name under which *action* on *account_id*, one of *cohort*, is counted.

        Raises:
            ValueError: Groups of accounts are counted apart, and it is not said which the account belongs to.
        """
        if not self.per:
            return self.id
        values = {
            "channel": action.channel, "action": action.key, "playbook": action.playbook or "", "account": account_id,
        }  # fmt: skip
        if self.by_cohort:
            if cohort is None:
                raise ValueError(
                    f"cap {self.id!r} counts by {', '.join(COHORTS)}, and the account's are not given"
                )
            values |= {"region": quote(cohort.region, safe=""), "segment": quote(cohort.segment, safe="")}
        return SEPARATOR.join([self.id, *[values[name] for name in self._in_order]])

    @cached_property
    def _in_order(self) -> tuple[Dimension, ...]:
        """What is counted apart, in the order of a key."""
        return tuple(name for name in DIMENSIONS if name in self.per)

    def amount(self, action: Action) -> int:
        """Return how much *action* uses, as it is counted."""
        if self.unit == "actions":
            return 1
        return whole_units(self.unit, action.cost if self.unit == "cost" else action.csm_minutes)

    def reason(self, used: int) -> str:
        """Return the sentence of a refusal."""
        if self.text:
            return self.text
        spent = used / MINOR_UNITS if self.unit == "cost" else used
        apart = " for each " + " and ".join(self.per) if self.per else ""
        window = f"{self.window_days:g} day{'' if self.window_days == 1 else 's'}"
        return f"{spent:g} {self.unit.replace('_', ' ')} of {self.limit:g} are used within {window}{apart}"


@dataclass(frozen=True, slots=True)
class Use:
    """What one action would use of one cap.

    Attributes:
        cap: The cap.
        key: The name under which it is counted.
        amount: How much, in whole units.
    """

    cap: Cap
    key: str
    amount: int

    def exceeds(self, used: int) -> bool:
        """Return whether the limit would be passed when *used* is used already."""
        return used + self.amount > self.cap.limit_units

    def to_dict(self) -> dict[str, Any]:
        """Return it as decisions and receipts show it, and as it is counted again from the ledger."""
        return {
            "cap": self.cap.id,
            "key": self.key,
            "amount": self.amount,
            "window_seconds": self.cap.window_seconds,
        }


def whole_units(unit: Unit, value: float) -> int:
    """Return *value* as it is counted; money in minor units."""
    return round(value * MINOR_UNITS) if unit == "cost" else round(value)


class CapUses:
    """What actions use of some caps; what is the same for every account is worked out once for each action."""

    def __init__(self, caps: Iterable[Cap]) -> None:
        self._caps = tuple(caps)
        self._of_actions: dict[tuple[int, Lane], tuple[Action, list[_CoveringCap]]] = {}
        self._of_catalogues: dict[
            tuple[int, Lane], tuple[Sequence[Action], list[tuple[_CoveringCap, Action]]]
        ] = {}

    def of(
        self, action: Action, account_id: str, lane: Lane, cohort: Cohort | None = None
    ) -> tuple[Use, ...]:
        """Return what *action* on *account_id* would use of the caps, in their order.

        Args:
            action: The action.
            account_id: The account.
            lane: Whether a person waits (`interactive`) or a job asks (`batch`).
            cohort: The groups that the account belongs to; needed if a cap counts by them.

        Raises:
            ValueError: A cap counts by groups of accounts, and *cohort* is not given.
        """
        return tuple([one.use(action, account_id, cohort) for one in self._covering(action, lane)])

    def counters(
        self, actions: Sequence[Action], account_id: str, lane: Lane, cohort: Cohort | None = None
    ) -> dict[str, Cap]:
        """Return the keys of all that `of` returns for one account and all *actions* of a catalogue, each with its cap.

        Raises:
            ValueError: A cap counts by groups of accounts, and *cohort* is not given.
        """
        known = self._of_catalogues.get((id(actions), lane))
        if known is None or known[0] is not actions:
            if len(self._of_catalogues) >= MOST_ACTIONS:
                self._of_catalogues.clear()
            covering = [(one, action) for action in actions for one in self._covering(action, lane)]
            # Many actions are counted together: of those one is asked.
            apart = {one.apart(action): (one, action) for one, action in covering}
            known = self._of_catalogues[id(actions), lane] = (actions, list(apart.values()))
        return {use.key: use.cap for use in [one.use(action, account_id, cohort) for one, action in known[1]]}

    def _covering(self, action: Action, lane: Lane) -> list[_CoveringCap]:
        known = self._of_actions.get((id(action), lane))
        if known is None or known[0] is not action:
            if len(self._of_actions) >= MOST_ACTIONS:
                self._of_actions.clear()
            covering = [
                _CoveringCap(cap, action)
                for cap in self._caps
                if (not cap.lanes or lane in cap.lanes) and cap.covers.covers(action)
            ]
            known = self._of_actions[id(action), lane] = (action, covering)
        return known[1]


class _CoveringCap:
    """A cap that covers an action: what of a use does not depend on the account."""

    __slots__ = ("_amount", "_cap", "_head", "_of_company")

    def __init__(self, cap: Cap, action: Action) -> None:
        self._cap = cap
        self._amount = cap.amount(action)
        self._of_company: Use | None = None
        self._head: str | None = None
        if "account" not in cap.per and not cap.by_cohort:
            self._of_company = Use(cap, cap.key(action, ""), self._amount)
        elif not cap.by_cohort:
            self._head = cap.key(action, "")  # the account comes last

    def apart(self, action: Action) -> Hashable:
        """Return the same for what is counted under one key, whatever the account."""
        if self._of_company is not None:
            return self._of_company.key
        return self._head if self._head is not None else (id(self._cap), action.key)

    def use(self, action: Action, account_id: str, cohort: Cohort | None) -> Use:
        if self._of_company is not None:
            return self._of_company
        if self._head is not None:
            return Use(self._cap, self._head + account_id, self._amount)
        return Use(self._cap, self._cap.key(action, account_id, cohort), self._amount)


def breached(used: Mapping[str, int], wanted: Iterable[Use]) -> list[Use]:
    """Return which of the *wanted* uses would pass their limit; what *used* does not name is unused."""
    return [use for use in wanted if use.exceeds(used.get(use.key, 0))]
