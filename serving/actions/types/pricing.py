"""Whether a price may be asked: its currency, its band in the account's region, and the margin that it leaves.

Prices themselves come from `serving.decisions.pricing`, where decisions look too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.actions.money import Money
from serving.actions.types.base import DraftError, Fault
from serving.decisions import pricing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.actions.types.base import Situation


def list_price(item: str, situation: Situation, seats: int | None = None) -> float:
    """Return the monthly list price of a plan (with the account's seats, or *seats*), an add-on or a bundle.

    Raises:
        DraftError: The catalogue has no such item, or the seats are not known.
    """
    seats = situation.seats if seats is None else seats
    try:
        return pricing.list_price(situation.catalogue, item, seats, situation.region)
    except KeyError:
        raise DraftError(f"the catalogue sells no {item!r}") from None


def asked(situation: Situation) -> pricing.Asked | None:
    """Return the price that the situation's action asks; None if it can't be offered to the account at all.

    Raises:
        DraftError: The account's plan or its seats are not known.
    """
    return pricing.asked_by(situation.catalogue, situation.action, terms(situation))


def terms(situation: Situation) -> pricing.Terms:
    """Return the terms on which the account buys.

    Raises:
        DraftError: The account's plan or its seats are not known.
    """
    return pricing.Terms(situation.plan, situation.seats, situation.discount, situation.region)


def bounds(item: str, situation: Situation, seats: int) -> dict[str, float] | None:
    """Return floor and ceiling of *item* in the account's region, and MAP if there is one; None without a band."""
    return pricing.bounds(situation.catalogue, item, seats, situation.region)


def price_faults(pointer: str, price: Money, item: str, situation: Situation) -> Iterator[Fault]:
    """Yield why *price* may not be asked of the account for a month of *item*.

    Without a band only the list price may, less the discount that the account has.

    Raises:
        DraftError: The catalogue has no such item, or plan or seats are not known.
    """
    currency = situation.catalogue.currency
    if price.currency != currency:
        yield Fault(pointer, "other_currency", f"prices are in {currency}")
        return
    try:
        limits = pricing.limits_of(situation.catalogue, item, terms(situation))
    except KeyError:
        raise DraftError(f"the catalogue sells no {item!r}") from None

    def shown(minor: int) -> str:
        return str(Money(amount_minor=minor, currency=currency))

    if not limits.allow(price.amount_minor):
        if limits.floor is None or limits.ceiling is None:
            usual = " or ".join(sorted(map(shown, limits.usual)))
            yield Fault(pointer, "no_price_band", f"{item!r} has no price band here: it costs {usual}")
        else:
            band = f"{shown(limits.floor)} to {shown(limits.ceiling)}"
            yield Fault(pointer, "outside_price_band", f"{price} is outside the band of {band}")
    if price.amount_minor < limits.least:
        text = f"{price} leaves too little margin; at least {shown(limits.least)} does"
        yield Fault(pointer, "below_margin", text)
