"""What the ten types share: strict values, and the questions that each of them answers."""

import datetime as dt
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from serving.actions.money import Money
from serving.decisions.catalogue import Action, Catalogue, Plan
from serving.decisions.catalogue.wording import usable_locale
from serving.decisions.frame import DecisionFrame
from serving.decisions.local_time import in_quiet_hours
from serving.decisions.pricing import discount_of
from serving.errors import ServingError

MOST_DAYS_AHEAD: Final = 366
LATE: Final = dt.timedelta(minutes=15)
"""How far in the past a start may lie: the time between simulation and apply."""

Key = Annotated[str, Field(min_length=1, max_length=200)]
Time = Annotated[AwareDatetime, Field(description="RFC 3339, with its zone.")]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an action can't be done as it stands.

    Attributes:
        pointer: The member that is wrong (RFC 6901), empty for the whole action.
        code: Stable code of the reason.
        text: What is wrong and what would be right.
    """

    pointer: str
    code: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the fault as the API shows it."""
        return {"pointer": self.pointer, "code": self.code, "text": self.text}


class DraftError(ServingError):
    """An action can't be written for an account, because something that it says is not known."""


@dataclass(frozen=True, slots=True)
class SideEffect:
    """What leaves for another system.

    Attributes:
        type: Type of the CloudEvent.
        data: What the other system needs.
        due_at: When it may leave; None for at once.
    """

    type: str
    data: Mapping[str, Any]
    due_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What an action is checked against: the account now, and what the catalogue says."""

    frame: DecisionFrame
    catalogue: Catalogue
    action: Action

    @property
    def now(self) -> dt.datetime:
        """The time of the check."""
        return self.frame.now

    @property
    def region(self) -> str | None:
        """The account's region."""
        return self.frame.text("region")

    @property
    def locale(self) -> str:
        """The account's locale, or the catalogue's default if it is not known or no language tag."""
        return usable_locale(self.frame.text("locale"), self.catalogue.default_locale)

    @property
    def plan(self) -> Plan:
        """The account's plan; of one that has left, the plan that it had.

        Raises:
            DraftError: It is not known, or not in the catalogue.
        """
        plan = self.catalogue.plans_by_key.get(self.frame.plan or "")
        if plan is None:
            raise DraftError("the account's plan is not known")
        return plan

    @property
    def seats(self) -> int:
        """The account's seats; of one that has left, those that it had.

        Raises:
            DraftError: They are not known.
        """
        seats = self.frame.seats
        if seats is None:
            raise DraftError("the account's seats are not known")
        return int(seats)

    @property
    def discount(self) -> float:
        """The account's discount on list prices, 0 to 1."""
        return discount_of(self.frame)

    def money(self, amount: float) -> Money:
        """Return *amount* in the catalogue's currency."""
        return Money.of(amount, self.catalogue.currency)

    def parameter(self, name: str, default: Any) -> Any:  # noqa: ANN401 -- text, number or flag, as the default is
        """Return a fixed detail of the catalogue's action, or *default* if it has none of that kind.

        Raises:
            DraftError: It has one of another kind.
        """
        value = self.action.parameters.get(name, default)
        if isinstance(default, float) and type(value) is int:
            return float(value)
        if type(value) is not type(default):
            raise DraftError(f"parameter {name!r} of action {self.action.key!r} should be like {default!r}")
        return value

    def quiet_at(self, time: dt.datetime) -> bool:
        """Return whether it is quiet at the account at *time*, or that can't be told."""
        return in_quiet_hours(replace(self.frame, now=time)) is not False


class TypedAction(BaseModel):
    """One action on one account, complete: nothing of it is left to whoever carries it out."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sells: ClassVar[bool] = False
    """Whether money changes hands."""
    event: ClassVar[str]
    """Type of the CloudEvent that carries it out."""

    account_id: Annotated[str, Field(min_length=1, max_length=256, description="The account.")]
    action_key: Annotated[Key, Field(description="Key of the catalogue's action that this carries out.")]

    @classmethod
    @abstractmethod
    def draft(cls, situation: Situation) -> Self:
        """Return the action as the catalogue means it for this account.

        Raises:
            DraftError: Something that it says is not known.
        """

    @abstractmethod
    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield why it can't be done as it stands."""

    @abstractmethod
    def words(self, situation: Situation) -> dict[str, str]:
        """Return what a message may say of it, by placeholder."""

    @abstractmethod
    def read_back(self) -> str:
        """Return in one sentence what will be done, to be read before it is."""

    def side_effects(self) -> tuple[SideEffect, ...]:
        """Return what leaves for other systems: the whole action, at once."""
        return (SideEffect(self.event, self.model_dump(mode="json")),)

    @abstractmethod
    def inverse(self) -> SideEffect | None:
        """Return what undoes it, or None if nothing does."""

    def give_away(self, situation: Situation) -> float:  # noqa: ARG002 -- types that sell look at it
        """Return by how much revenue falls within a year for an account that takes it, in the main unit."""
        return 0.0

    def every_fault(self, situation: Situation) -> list[Fault]:
        """Return all faults; a fact that is missing is one."""
        found: list[Fault] = []
        if self.account_id != situation.frame.account_id:
            found.append(Fault("/account_id", "other_account", "the action is about another account"))
        try:
            found.extend(self.faults(situation))
        except DraftError as error:
            found.append(Fault("", "fact_missing", str(error)))
        return found


def starts_faults(pointer: str, time: dt.datetime, situation: Situation) -> Iterator[Fault]:
    """Yield why something can't start at *time*."""
    if time < situation.now - LATE:
        yield Fault(pointer, "in_the_past", f"{time.isoformat()} is past")
    if time > situation.now + dt.timedelta(days=MOST_DAYS_AHEAD):
        yield Fault(pointer, "too_far_ahead", f"{time.isoformat()} is more than {MOST_DAYS_AHEAD} days ahead")


def ends_faults(pointer: str, start: dt.datetime, end: dt.datetime, most_days: int) -> Iterator[Fault]:
    """Yield why something that starts at *start* can't end at *end*."""
    if end <= start:
        yield Fault(pointer, "ends_before_it_starts", "the end should be after the start")
    elif end - start > dt.timedelta(days=most_days):
        yield Fault(pointer, "too_long", f"it may last {most_days} days at most")


def day(time: dt.datetime) -> str:
    """Return the date of *time* for people."""
    return time.date().isoformat()
