"""What things cost an account: list prices, what an action asks for, and between which amounts it may.

One home for prices: decisions ask here whether an action could be offered at all, and the typed actions ask here when
they are written out and checked, so that nothing is proposed which could not be applied. A price follows from the
catalogue, the account's plan, seats, region and its present discount, and from nothing else that is known of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.decisions.catalogue.currencies import from_minor, to_minor

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Catalogue, Plan
    from serving.decisions.frame import DecisionFrame

PRICED_TYPES: Final = frozenset(
    {"propose_offer_within_bands", "start_trial_or_upgrade", "create_bundle_within_policy"}
)
"""Types that ask for a price of their own; more seats are sold at the price that the account has."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an account buys.

    Attributes:
        plan: Its plan.
        seats: Its seats.
        discount: Its discount on list prices, 0 to 1.
        region: Its region; None if that is not known.
    """

    plan: Plan
    seats: int
    discount: float
    region: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A price that an action asks for a month.

    Attributes:
        item: Key of a plan, an add-on or a bundle.
        list_price: What it costs in the account's region, in the catalogue's currency.
        price: What is asked.
    """

    item: str
    list_price: float
    price: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which monthly amounts something may be sold to an account, in the currency's smallest unit.

    Attributes:
        usual: Without a price band, the only prices: list price, and that less the account's discount.
        floor: Least price of the band; None without one.
        ceiling: Highest price of it; likewise.
        advertised_min: Least price that many may see; None if there is none.
        least: Least price that leaves the catalogue's margin.
    """

    usual: frozenset[int]
    floor: int | None
    ceiling: int | None
    advertised_min: int | None
    least: int

    def allow(self, price: int) -> bool:
        """Return whether *price* lies in the band, or is a usual one where there is none."""
        if self.floor is None or self.ceiling is None:
            return price in self.usual
        return self.floor <= price <= self.ceiling


@dataclass(frozen=True, slots=True)
class Quote:
    """What an action asks, beside its limits; amounts in the currency's smallest unit."""

    asked: Asked
    currency: str
    price: int
    list_price: int
    unit_cost: float
    limits: Limits

    @property
    def allowed(self) -> bool:
        """Whether the price may be asked, its margin left aside."""
        return self.limits.allow(self.price)

    @property
    def discount_ratio(self) -> float:
        """By which share of the list price it lies under it."""
        return 0.0 if self.list_price <= 0 else round(1.0 - self.price / self.list_price, 6)

    @property
    def margin_ratio(self) -> float | None:
        """Which share of the price is left after the cost of serving; None if nothing is asked."""
        return None if self.price <= 0 else round(1.0 - self.unit_cost / self.amount(self.price), 6)

    def amount(self, minor: int) -> float:
        """Return *minor* in the currency's main unit."""
        return from_minor(minor, self.currency)


def terms_of(frame: DecisionFrame, catalogue: Catalogue) -> Terms | None:
    """Return the terms of the account of *frame*, or those it left with; None if its plan or seats are not known."""
    plan = catalogue.plans_by_key.get(frame.plan or "")
    seats = frame.seats
    if plan is None or seats is None:
        return None
    return Terms(plan, int(seats), discount_of(frame), frame.text("region"))


def discount_of(frame: DecisionFrame) -> float:
    """Return the account's discount on list prices, 0 to 1; none that is known is none."""
    return min(1.0, max(0.0, frame.number("discount_ratio") or 0.0))


def list_factor(catalogue: Catalogue, item: str, region: str | None) -> float:
    """Return by what list prices of *item* are multiplied in *region*, as its price band says; 1 if none does."""
    band = catalogue.price_band(item, region)
    return 1.0 if band is None else band.list_factor


def list_price(catalogue: Catalogue, item: str, seats: int, region: str | None) -> float:
    """Return the monthly list price in *region* of a plan with *seats* seats, an add-on or a bundle.

    Raises:
        KeyError: The catalogue has no such item.
    """
    if item in catalogue.plans_by_key:
        price = catalogue.plans_by_key[item].list_mrr(seats)
    elif item in catalogue.add_ons_by_key:
        price = catalogue.add_ons_by_key[item].mrr_list
    else:
        price = catalogue.bundles_by_key[item].price(catalogue.add_ons_by_key)
    return price * list_factor(catalogue, item, region)


def unit_cost(catalogue: Catalogue, item: str, seats: int) -> float:
    """Return the monthly cost of serving *item*; a plan's grows with its list price.

    Raises:
        KeyError: The catalogue has no such item.
    """
    if item in catalogue.plans_by_key:
        plan = catalogue.plans_by_key[item]
        return plan.unit_cost * plan.scale(seats)
    if item in catalogue.add_ons_by_key:
        return catalogue.add_ons_by_key[item].unit_cost
    return catalogue.bundles_by_key[item].unit_cost(catalogue.add_ons_by_key)


def bounds(catalogue: Catalogue, item: str, seats: int, region: str | None) -> dict[str, float] | None:
    """Return floor and ceiling of *item* in *region*, and MAP if there is one; None without a band."""
    band = catalogue.price_band(item, region)
    if band is None:
        return None
    plan = catalogue.plans_by_key.get(item)
    scale = 1.0 if plan is None else plan.scale(seats)
    found = {"floor": band.floor * scale, "ceiling": band.ceiling * scale}
    if band.advertised_min is not None:
        found["advertised_min"] = band.advertised_min * scale
    return found


def limits_of(catalogue: Catalogue, item: str, terms: Terms) -> Limits:
    """Return between which amounts *item* may be sold to an account on *terms*.

    Raises:
        KeyError: The catalogue has no such item.
    """
    currency, listed = catalogue.currency, list_price(catalogue, item, terms.seats, terms.region)
    band = bounds(catalogue, item, terms.seats, terms.region) or {}
    found = {name: to_minor(amount, currency) for name, amount in band.items()}
    least = unit_cost(catalogue, item, terms.seats) / (1.0 - catalogue.margin_min_ratio)
    return Limits(
        usual=frozenset(to_minor(price, currency) for price in (listed, listed * (1.0 - terms.discount))),
        floor=found.get("floor"),
        ceiling=found.get("ceiling"),
        advertised_min=found.get("advertised_min"),
        least=to_minor(least, currency),
    )


def asked_by(catalogue: Catalogue, action: Action, terms: Terms) -> Asked | None:
    """Return what *action* asks of an account on *terms*; None if it asks for no price, or can't be offered.

    An offer is the account's own plan at the action's discount, an upgrade the next plan at the discount that the
    account has, a bundle what the catalogue asks for it.
    """
    if action.type == "propose_offer_within_bands":
        listed = list_price(catalogue, terms.plan.key, terms.seats, terms.region)
        return Asked(terms.plan.key, listed, listed * (1.0 - offered_discount(action)))
    if action.type == "start_trial_or_upgrade":
        following = catalogue.next_plan(terms.plan.key)
        if following is None:
            return None
        listed = list_price(catalogue, following.key, terms.seats, terms.region)
        return Asked(following.key, listed, listed * (1.0 - terms.discount))
    if action.type == "create_bundle_within_policy":
        bundle = catalogue.bundles_by_key.get(str(action.parameters.get("bundle")))
        if bundle is None:
            return None
        price = list_price(catalogue, bundle.key, terms.seats, terms.region)
        return Asked(bundle.key, price, price)
    return None


def offered_discount(action: Action) -> float:
    """Return the share of the list price that *action* itself takes off, by its parameter `discount_ratio`."""
    ratio = action.parameters.get("discount_ratio", 0.0)
    return 0.0 if isinstance(ratio, str | bool) else float(ratio)


def quote_of(catalogue: Catalogue, action: Action, terms: Terms) -> Quote | None:
    """Return what *action* asks and between which limits it may; None if `asked_by` finds nothing."""
    asked = asked_by(catalogue, action, terms)
    if asked is None:
        return None
    currency = catalogue.currency
    return Quote(
        asked=asked,
        currency=currency,
        price=to_minor(asked.price, currency),
        list_price=to_minor(asked.list_price, currency),
        unit_cost=unit_cost(catalogue, asked.item, terms.seats),
        limits=limits_of(catalogue, asked.item, terms),
    )
