"""Whether a price may be asked: its currency, its band in the account's region, and the margin that it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.actions.types.base import DraftError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.actions.money import Money
    from serving.actions.types.base import Situation


def list_price(item: str, situation: Situation, seats: int | None = None) -> float:
    """Return the monthly list price of a plan (with the account's seats, or *seats*), an add-on or a bundle.

    Raises:
        DraftError: The catalogue has no such item, or the seats are not known.
    """
    catalogue = situation.catalogue
    if item in catalogue.plans_by_key:
        return catalogue.plans_by_key[item].list_mrr(situation.seats if seats is None else seats)
    if item in catalogue.add_ons_by_key:
        return catalogue.add_ons_by_key[item].mrr_list
    if item in catalogue.bundles_by_key:
        return catalogue.bundles_by_key[item].price(catalogue.add_ons_by_key)
    raise DraftError(f"the catalogue sells no {item!r}")


def unit_cost(item: str, situation: Situation, seats: int) -> float:
    """Return the monthly cost of serving *item*, which the catalogue has; a plan's grows with its list price."""
    catalogue = situation.catalogue
    if item in catalogue.plans_by_key:
        plan = catalogue.plans_by_key[item]
        return plan.unit_cost * plan.scale(seats)
    if item in catalogue.add_ons_by_key:
        return catalogue.add_ons_by_key[item].unit_cost
    return catalogue.bundles_by_key[item].unit_cost(catalogue.add_ons_by_key)


def bounds(item: str, situation: Situation, seats: int) -> dict[str, float] | None:
    """Return floor and ceiling of *item* in the account's region, and MAP if there is one; None without a band."""
    band = situation.catalogue.price_band(item, situation.region)
    if band is None:
        return None
    plan = situation.catalogue.plans_by_key.get(item)
    scale = 1.0 if plan is None else plan.scale(seats)
    found = {"floor": band.floor * scale, "ceiling": band.ceiling * scale}
    if band.advertised_min is not None:
        found["advertised_min"] = band.advertised_min * scale
    return found


def price_faults(pointer: str, price: Money, item: str, situation: Situation) -> Iterator[Fault]:
    """Yield why *price* may not be asked of the account for a month of *item*.

    Without a band only the list price may, less the discount that the account has.

    Raises:
        DraftError: The catalogue has no such item, or the seats are not known.
    """
    if price.currency != situation.catalogue.currency:
        yield Fault(pointer, "other_currency", f"prices are in {situation.catalogue.currency}")
        return
    seats = situation.seats
    listed = list_price(item, situation)
    band = bounds(item, situation, seats)
    if band is None:
        usual = {situation.money(listed), situation.money(listed * (1.0 - situation.discount))}
        if price not in usual:
            text = f"{item!r} has no price band here: it costs {' or '.join(sorted(map(str, usual)))}"
            yield Fault(pointer, "no_price_band", text)
    else:
        floor, ceiling = situation.money(band["floor"]), situation.money(band["ceiling"])
        if not floor.amount_minor <= price.amount_minor <= ceiling.amount_minor:
            yield Fault(pointer, "outside_price_band", f"{price} is outside the band of {floor} to {ceiling}")
    least = situation.money(unit_cost(item, situation, seats) / (1.0 - situation.catalogue.margin_min_ratio))
    if price.amount_minor < least.amount_minor:
        yield Fault(pointer, "below_margin", f"{price} leaves too little margin; at least {least} does")
