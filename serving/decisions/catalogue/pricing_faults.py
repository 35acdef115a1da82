"""Contradictions between list prices, bands, costs and what actions offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.decisions.catalogue.actions import Action
    from serving.decisions.catalogue.document import Catalogue
    from serving.decisions.catalogue.prices import PriceBand

CENT = 1e-6
"""Amounts closer than this are equal."""


def price_faults(catalogue: Catalogue) -> Iterator[str]:
    """Yield a sentence for every contradiction of prices."""
    items = _items(catalogue)
    for key, (price, cost, what) in items.items():
        least = _least(cost, catalogue)
        if price + CENT < least:
            yield f"{what} sells for {price:g}, below its cost and margin: at least {least:g}"
        for band in (one for one in catalogue.price_bands if one.item == key):
            sold = price * band.list_factor
            if not band.floor - CENT <= sold <= band.ceiling + CENT:
                where = f" in {', '.join(band.regions)}" if band.regions else ""
                yield (
                    f"{what} sells for {sold:g}{where}, outside its band of {band.floor:g} to {band.ceiling:g}"
                )
    for band in catalogue.price_bands:
        yield from _band_faults(band, catalogue, items)
    yield from _overlaps(catalogue)
    for action in catalogue.actions:
        if action.type == "propose_offer_within_bands":
            yield from _offer_faults(action, catalogue)


def _items(catalogue: Catalogue) -> dict[str, tuple[float, float, str]]:
    """Return price, cost and name of everything that is sold; bundles of unknown parts are left out."""
    add_ons = catalogue.add_ons_by_key
    items = {plan.key: (plan.mrr_list, plan.unit_cost, f"plan {plan.key!r}") for plan in catalogue.plans}
    items |= {one.key: (one.mrr_list, one.unit_cost, f"add-on {one.key!r}") for one in catalogue.add_ons}
    items |= {
        bundle.key: (bundle.price(add_ons), bundle.unit_cost(add_ons), f"bundle {bundle.key!r}")
        for bundle in catalogue.bundles
        if all(key in add_ons for key in bundle.add_ons)
    }
    return items


def _least(cost: float, catalogue: Catalogue) -> float:
    """Return the price at which *cost* leaves the least margin."""
    return cost / (1.0 - catalogue.margin_min_ratio)


def _band_faults(
    band: PriceBand, catalogue: Catalogue, items: dict[str, tuple[float, float, str]]
) -> Iterator[str]:
    who = f"price band of {band.item!r}" + (f" in {', '.join(band.regions)}" if band.regions else "")
    if band.item not in items and band.item not in catalogue.bundles_by_key:
        yield f"{who}: there is no such plan, add-on or bundle"
    if band.floor > band.ceiling:
        yield f"{who}: the floor {band.floor:g} is above the ceiling {band.ceiling:g}"
    if band.advertised_min is not None and not band.floor <= band.advertised_min <= band.ceiling:
        yield f"{who}: the least advertised price {band.advertised_min:g} is outside floor and ceiling"
    if band.item in items:
        least = _least(items[band.item][1], catalogue)
        if band.floor + CENT < least:
            yield f"{who}: the floor {band.floor:g} is below cost and margin, which need {least:g}"
    for region in band.regions:
        if catalogue.regions and region not in catalogue.regions:
            yield f"{who}: {region!r} is none of the catalogue's regions"


def _overlaps(catalogue: Catalogue) -> Iterator[str]:
    seen: set[tuple[str, str | None]] = set()
    for band in catalogue.price_bands:
        for region in band.regions or (None,):
            if (band.item, region) in seen:
                yield f"{band.item!r} has two price bands {f'in {region}' if region else 'without a region'}"
            seen.add((band.item, region))


def _offer_faults(action: Action, catalogue: Catalogue) -> Iterator[str]:
    ratio = action.parameters.get("discount_ratio")
    if ratio is None:
        return
    if isinstance(ratio, str | bool) or not 0 <= ratio < 1:
        yield f"action {action.key!r}: discount_ratio must be at least 0 and under 1, not {ratio!r}"
        return
    for plan in catalogue.plans:
        if action.requires.plans and plan.key not in action.requires.plans:
            continue
        for band in catalogue.price_bands:
            offered = plan.mrr_list * band.list_factor * (1.0 - ratio)
            if band.item == plan.key and offered + CENT < band.floor:
                yield (
                    f"action {action.key!r} would offer plan {plan.key!r} for {offered:g}, "
                    f"below the floor {band.floor:g}"
                )
