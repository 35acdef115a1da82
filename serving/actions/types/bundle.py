"""`create_bundle_within_policy`: add-ons that are sold together."""

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
    starts_faults,
)
from serving.actions.types.pricing import asked, price_faults


class CreateBundleWithinPolicy(TypedAction):
    """Sell the account a bundle of the catalogue beside its plan."""

    sells: ClassVar[bool] = True

    event: ClassVar[str] = "keepgrow.bundle.created"
    type: Literal["create_bundle_within_policy"]
    bundle: Key
    parts: Annotated[tuple[Key, ...], Field(min_length=2, description="The bundle's add-ons.")]
    price: Annotated[Money, Field(description="What it costs a month.")]
    starts_at: Annotated[Time, Field(description="When it works; not before the longest lead time is over.")]

    @classmethod
    def draft(cls, situation: Situation) -> Self:
        """Return the bundle that the action's parameter `bundle` names, at its price, as soon as it can work."""
        catalogue = situation.catalogue
        bundle = catalogue.bundles_by_key.get(situation.parameter("bundle", ""))
        offer = asked(situation)
        if bundle is None or offer is None:
            raise DraftError(f"action {situation.action.key!r} names no bundle in its parameters")
        lead = max(catalogue.add_ons_by_key[key].lead_time_days for key in bundle.add_ons)
        return cls(
            type="create_bundle_within_policy",
            account_id=situation.frame.account_id,
            action_key=situation.action.key,
            bundle=bundle.key,
            parts=bundle.add_ons,
            price=situation.money(offer.price),
            starts_at=situation.now + dt.timedelta(days=lead),
        )

    def faults(self, situation: Situation) -> Iterator[Fault]:
        """Yield bundles that there are not, parts that can't be had, and prices outside the band."""
        catalogue = situation.catalogue
        bundle = catalogue.bundles_by_key.get(self.bundle)
        if bundle is None:
            yield Fault("/bundle", "unknown_bundle", f"the catalogue has no bundle {self.bundle!r}")
            return
        if set(self.parts) != set(bundle.add_ons) or len(self.parts) != len(bundle.add_ons):
            yield Fault("/parts", "other_parts", f"the bundle holds {', '.join(bundle.add_ons)}")
        plan = situation.plan.key
        if bundle.plans and plan not in bundle.plans:
            yield Fault("/bundle", "not_beside_this_plan", f"it is not sold beside {plan!r}")
        for key in bundle.add_ons:
            part = catalogue.add_ons_by_key[key]
            if part.plans and plan not in part.plans:
                yield Fault("/parts", "not_beside_this_plan", f"{key!r} is not sold beside {plan!r}")
            if part.stock == 0:
                yield Fault("/parts", "out_of_stock", f"{key!r} is sold out")
            ready = situation.now + dt.timedelta(days=part.lead_time_days)
            if self.starts_at.date() < ready.date():
                yield Fault("/starts_at", "lead_time", f"{key!r} works from {day(ready)} at the earliest")
        yield from price_faults("/price", self.price, self.bundle, situation)
        yield from starts_faults("/starts_at", self.starts_at, situation)

    def words(self, situation: Situation) -> dict[str, str]:
        """Return the names of bundle and parts, price and date."""
        bundle = situation.catalogue.bundles_by_key.get(self.bundle)
        add_ons = situation.catalogue.add_ons_by_key
        return {
            "bundle": bundle.name if bundle else self.bundle,
            "parts": ", ".join(add_ons[key].name if key in add_ons else key for key in self.parts),
            "price": str(self.price),
            "starts_on": day(self.starts_at),
        }

    def read_back(self) -> str:
        """Return the sale in a sentence."""
        parts = ", ".join(self.parts)
        return (
            f"Sell {self.account_id} the bundle {self.bundle} ({parts}) for {self.price} a month, "
            f"from {day(self.starts_at)}."
        )

    def inverse(self) -> SideEffect | None:
        """Return the cancellation of the order."""
        data = {"account_id": self.account_id, "bundle": self.bundle, "parts": list(self.parts)}
        return SideEffect("keepgrow.bundle.cancelled", data)
