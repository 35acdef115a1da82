"""`adjust_seats_within_policy`: more seats, or fewer, within what the plan allows and people use."""

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from serving.actions.money import Money
from serving.actions.types.base import Fault, SideEffect, Situation, Time, TypedAction, day, starts_faults
from serving.actions.types.pricing import list_price
from serving.decisions.value import seats_to_add

MONTHS = 12


class AdjustSeatsWithinPolicy(TypedAction):
    """Change the number of seats that the account pays for."""

    sells: ClassVar[bool] = True

    event: ClassVar[str] = "keepgrow.seats.adjusted"
    type: Literal["adjust_seats_within_policy"]
    seats_from: Annotated[int, Field(ge=0)]
    seats_to: Annotated[int, Field(ge=1)]
    price_change: Annotated[
        Money, Field(description="Change of the monthly price; negative for fewer seats.")
    ]
    starts_at: Time

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return as many more seats as the action's `extra_mrr` share means."""
        plan, seats = situation.plan, situation.seats
        wanted = seats + seats_to_add(situation.frame, situation.catalogue, situation.action)
        return cls(
            type="adjust_seats_within_policy",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            seats_from=seats,
            seats_to=wanted,
            price_change=_price_change(plan.key, seats, wanted, situation),
            starts_at=situation.now,
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield seats that the account has not, the plan allows not or people need, and wrong prices."""
        plan, seats = situation.plan, situation.seats
        if self.seats_from != seats:
            yield Fault("/seats_from", "not_the_seats", f"the account has {seats} seats")
        if self.seats_to == self.seats_from:
            yield Fault("/seats_to", "no_change", "the number of seats should change")
        if plan.seats_max is not None and self.seats_to > plan.seats_max:
            yield Fault(
                "/seats_to", "seats_at_plan_maximum", f"the plan allows {plan.seats_max} seats at most"
            )
        share = situation.frame.number("seat_utilisation_ratio")
        if self.seats_to < seats:
            used = None if share is None else math.ceil(round(share * seats, 6))
            if used is None or self.seats_to < used:
                shown = "not known" if used is None else str(used)
                yield Fault("/seats_to", "seats_in_use", f"the number of seats in use is {shown}")
        right = _price_change(plan.key, self.seats_from, self.seats_to, situation)
        if self.price_change != right:
            yield Fault("/price_change", "not_the_price", f"at the account's terms it is {right} a month")
        yield from starts_faults("/starts_at", self.starts_at, situation)

    def words(self, situation: Situation) -> dict[str, str]:  # noqa: ARG002 -- as every type
        """Return seats, price and date."""
        return {
            "seats_to": str(self.seats_to),
            "price_change": str(self.price_change),
            "starts_on": day(self.starts_at),
        }

    def read_back(self) -> str:
        """Return the change in a sentence."""
        return (
            f"Change the seats of {self.account_id} from {self.seats_from} to {self.seats_to} on "
            f"{day(self.starts_at)}; the monthly price changes by {self.price_change}."
        )

    def inverse(self) -> SideEffect | None:
        """Return the change back."""
        change = Money(amount_minor=-self.price_change.amount_minor, currency=self.price_change.currency)
        data = {
            "account_id": self.account_id,
            "seats_from": self.seats_to,
            "seats_to": self.seats_from,
            "price_change": change.model_dump(),
        }
        return SideEffect("keepgrow.seats.restored", data)

    def give_away(self, situation: Situation) -> float:  # noqa: ARG002 -- as every type
        """Return a year of what fewer seats cost less."""
        return max(0.0, -self.price_change.amount) * MONTHS


def _price_change(plan: str, before: int, after: int, situation: Situation) -> Money:
    difference = list_price(plan, situation, after) - list_price(plan, situation, before)
    return situation.money(difference * (1.0 - situation.discount))
