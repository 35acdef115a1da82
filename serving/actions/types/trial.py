"""`start_trial_or_upgrade`: a higher plan, for good or on trial."""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from serving.actions.money import Money
from serving.actions.types.base import (
    DraftError,
    Fault,
    Key,
    SideEffect,
    Situation,
    Time,
    TypedAction,
    day,
    ends_faults,
    starts_faults,
)
from serving.actions.types.pricing import asked, price_faults
from serving.decisions.catalogue.parameters import MOST_TRIAL_DAYS


class StartTrialOrUpgrade(TypedAction):
    """Move the account to a higher plan; a trial comes back by itself."""

    sells: ClassVar[bool] = True

    event: ClassVar[str] = "keepgrow.plan.upgraded"
    type: Literal["start_trial_or_upgrade"]
    mode: Literal["trial", "upgrade"]
    plan_from: Key
    plan_to: Key
    price: Annotated[
        Money, Field(description="What the higher plan costs a month; nothing is charged in a trial.")
    ]
    starts_at: Time
    trial_ends_at: Annotated[Time | None, Field(description="End of a trial; null for an upgrade.")] = None
    auto_revert: Annotated[
        bool,
        Field(
            description="Whether the plan from before comes back when the trial ends; must be, for a trial."
        ),
    ] = True

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return a trial of the next plan if the action has `trial_days`, else the upgrade."""
        plan = situation.plan
        offer = asked(situation)
        if offer is None:
            raise DraftError(f"no plan is above {plan.key!r}")
        days = situation.parameter("trial_days", 0)
        return cls(
            type="start_trial_or_upgrade",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            mode="trial" if days else "upgrade",
            plan_from=plan.key,
            plan_to=offer.item,
            price=situation.money(offer.price),
            starts_at=situation.now,
            trial_ends_at=situation.now + dt.timedelta(days=days) if days else None,
            auto_revert=bool(days),
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield plans that don't fit, prices outside the band, and trials without an end."""
        catalogue = situation.catalogue
        if self.plan_from != situation.plan.key:
            yield Fault("/plan_from", "not_the_plan", f"the account's plan is {situation.plan.key!r}")
        higher = catalogue.plans_by_key.get(self.plan_to)
        if higher is None:
            yield Fault("/plan_to", "unknown_plan", f"the catalogue has no plan {self.plan_to!r}")
        else:
            if higher.rank <= situation.plan.rank:
                yield Fault("/plan_to", "not_higher", f"{self.plan_to!r} is not above the account's plan")
            if higher.seats_max is not None and situation.seats > higher.seats_max:
                yield Fault(
                    "/plan_to", "too_many_seats", f"{self.plan_to!r} has {higher.seats_max} seats at most"
                )
            yield from price_faults("/price", self.price, self.plan_to, situation)
        yield from starts_faults("/starts_at", self.starts_at, situation)
        if self.mode == "upgrade":
            if self.trial_ends_at is not None:
                yield Fault("/trial_ends_at", "no_trial", "an upgrade does not end; it should be null")
            return
        if self.trial_ends_at is None:
            yield Fault("/trial_ends_at", "trial_without_end", "a trial needs its end")
        else:
            yield from ends_faults("/trial_ends_at", self.starts_at, self.trial_ends_at, MOST_TRIAL_DAYS)
        if not self.auto_revert:
            yield Fault("/auto_revert", "trial_without_return", "a trial must come back by itself")

    def words(self, situation: Situation) -> dict[str, str]:
        """Return plan, price and dates."""
        plan = situation.catalogue.plans_by_key.get(self.plan_to)
        return {
            "plan_to": plan.name if plan else self.plan_to,
            "price": str(self.price),
            "starts_on": day(self.starts_at),
            "trial_ends_on": day(self.trial_ends_at) if self.trial_ends_at else "",
        }

    def read_back(self) -> str:
        """Return the change in a sentence."""
        if self.trial_ends_at is not None:
            return (
                f"Let {self.account_id} try {self.plan_to} from {day(self.starts_at)} until "
                f"{day(self.trial_ends_at)}; then {self.plan_from} comes back by itself."
            )
        return (
            f"Move {self.account_id} from {self.plan_from} to {self.plan_to} on {day(self.starts_at)}, "
            f"for {self.price} a month."
        )

    def side_effects(self) -> tuple[SideEffect, ...]:
        """Return the change, and for a trial its end, which leaves when it is due."""
        if self.trial_ends_at is None:
            return super().side_effects()
        return (
            SideEffect("keepgrow.trial.started", self.model_dump(mode="json")),
            SideEffect("keepgrow.trial.ended", self._back("still_on_trial"), due_at=self.trial_ends_at),
        )

    def inverse(self) -> SideEffect | None:
        """Return the way back to the plan from before."""
        if self.mode == "trial":
            return SideEffect("keepgrow.trial.cancelled", self._back("still_on_trial"))
        return SideEffect("keepgrow.plan.restored", self._back("still_on_plan_to"))

    def _back(self, only_if: str) -> dict[str, str]:
        return {
            "account_id": self.account_id,
            "plan_from": self.plan_to,
            "plan_to": self.plan_from,
            "only_if": only_if,
        }
