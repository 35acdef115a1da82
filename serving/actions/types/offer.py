"""`propose_offer_within_bands`: a price for a term, within the price bands."""

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
)
from serving.actions.types.pricing import asked, list_price, price_faults
from serving.decisions.catalogue.parameters import MOST_OFFER_DAYS

MONTHS = 12


class ProposeOfferWithinBands(TypedAction):
    """Offer a monthly price for a term; the customer may take it until it expires."""

    sells: ClassVar[bool] = True

    event: ClassVar[str] = "keepgrow.offer.proposed"
    type: Literal["propose_offer_within_bands"]
    item: Annotated[Key, Field(description="The account's plan, an add-on or a bundle.")]
    list_price: Annotated[Money, Field(description="What it costs a month without the offer.")]
    price: Annotated[Money, Field(description="What it costs a month with it.")]
    term_months: Annotated[int, Field(ge=1, le=60)]
    expires_at: Annotated[Time, Field(description="Until when the offer holds.")]

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return the offer of the account's own plan at the action's discount, but not below the band's floor."""
        situation.parameter("discount_ratio", 0.0)
        offer = asked(situation)
        if offer is None:
            raise DraftError("the account's plan has no price")
        days = situation.parameter("valid_days", 14)
        return cls(
            type="propose_offer_within_bands",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            item=offer.item,
            list_price=situation.money(offer.list_price),
            price=situation.money(offer.price),
            term_months=situation.parameter("term_months", MONTHS),
            expires_at=situation.now + dt.timedelta(days=days),
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield wrong items, prices outside of band and margin, and impossible dates."""
        if self.item in situation.catalogue.plans_by_key and self.item != situation.plan.key:
            yield Fault("/item", "not_the_plan", f"the account's plan is {situation.plan.key!r}")
        listed = situation.money(list_price(self.item, situation))
        if self.list_price != listed:
            yield Fault("/list_price", "not_the_list_price", f"the list price is {listed}")
        if self.price.currency == listed.currency and self.price.amount_minor > listed.amount_minor:
            yield Fault("/price", "above_list_price", "an offer should not cost more than the list price")
        yield from price_faults("/price", self.price, self.item, situation)
        yield from ends_faults("/expires_at", situation.now, self.expires_at, MOST_OFFER_DAYS)

    def words(self, situation: Situation) -> dict[str, str]:
        """Return item, prices, term and date."""
        plan = situation.catalogue.plans_by_key.get(self.item)
        return {
            "item": plan.name if plan else self.item,
            "price": str(self.price),
            "list_price": str(self.list_price),
            "term_months": str(self.term_months),
            "expires_on": day(self.expires_at),
        }

    def read_back(self) -> str:
        """Return the offer in a sentence."""
        return (
            f"Offer {self.account_id} {self.item} for {self.price} instead of {self.list_price} a month, "
            f"for {self.term_months} months; the offer holds until {day(self.expires_at)}."
        )

    def inverse(self) -> SideEffect | None:
        """Return its withdrawal; who has taken it keeps it."""
        data = {"account_id": self.account_id, "item": self.item, "only_if": "not_accepted"}
        return SideEffect("keepgrow.offer.withdrawn", data)

    def give_away(self, situation: Situation) -> float:
        """Return the difference to what the account pays now, over the term or a year."""
        now = list_price(self.item, situation) * (1.0 - situation.discount)
        return max(0.0, now - self.price.amount) * min(MONTHS, self.term_months)
