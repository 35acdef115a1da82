"""Fields of what an action asks and says: its price and limits, what can be had, and the words that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.decisions.calling import first_awake_hour
from serving.decisions.catalogue.wording import usable_locale
from serving.decisions.policy.field import Field
from serving.decisions.pricing import offered_discount

if TYPE_CHECKING:
    from serving.decisions.policy.action_view import ActionView

CALL_MINUTES: Final = 30
"""How long a call is if its action does not say."""


def _amount(view: ActionView, name: str) -> float | None:
    """Return one of the amounts of what the action asks, in the currency's main unit."""
    quote = view.quote
    return None if quote is None else quote.amount(getattr(quote, name))


def _limit(view: ActionView, name: str) -> float | None:
    """Return one of the limits of what the action asks; where there is no band, its ends are the usual price."""
    quote = view.quote
    if quote is None:
        return None
    minor = getattr(quote.limits, name)
    if minor is None and name != "advertised_min":
        minor = quote.price if quote.allowed else quote.list_price
    return None if minor is None else quote.amount(minor)


def _in_band(view: ActionView) -> bool | None:
    return None if view.quote is None else view.quote.allowed


def _margin(view: ActionView) -> float | None:
    return None if view.quote is None else view.quote.margin_ratio


def _discount(view: ActionView) -> float | None:
    return None if view.quote is None else view.quote.discount_ratio


def _seats_max(view: ActionView) -> float | None:
    plan = None if view.quote is None else view.catalogue.plans_by_key.get(view.quote.asked.item)
    return None if plan is None or plan.seats_max is None else float(plan.seats_max)


def _sold_out(view: ActionView) -> tuple[str, ...]:
    add_ons, bundle = view.catalogue.add_ons_by_key, view.bundle
    return () if bundle is None else tuple(key for key in bundle.add_ons if add_ons[key].stock == 0)


def _not_beside_plan(view: ActionView) -> tuple[str, ...]:
    bundle, plan = view.bundle, view.frame.plan
    if bundle is None:
        return ()
    plans = {bundle.key: bundle.plans}
    plans |= {key: view.catalogue.add_ons_by_key[key].plans for key in bundle.add_ons}
    return tuple(key for key, beside in plans.items() if beside and plan not in beside)


def _words_missing(view: ActionView) -> tuple[str, ...]:
    locale = usable_locale(view.frame.text("locale"), view.catalogue.default_locale)
    return view.catalogue.words_missing(view.action, view.frame.text("region"), locale)


def _call_possible(view: ActionView) -> bool:
    minutes = view.action.parameters.get("duration_minutes", CALL_MINUTES)
    return isinstance(minutes, int) and first_awake_hour(view.frame, minutes) is not None


COMMERCIAL_FIELDS: Final = (
    Field("action_discount_ratio", "number", "Share of the list price that the action takes off; 0: nothing.",
          of_entry=offered_discount),
    Field("offer_price", "number", "What the action asks for a month; null: no price of its own.",
          of_action=lambda view: _amount(view, "price")),
    Field("offer_list_price", "number", "What that costs by list in the account's region.",
          of_action=lambda view: _amount(view, "list_price")),
    Field("offer_discount_ratio", "number", "By which share of the list price the asked one lies under it.",
          of_action=_discount),
    Field("offer_in_band", "bool", "Whether the price lies in its band; without one, whether it is a usual one.",
          of_action=_in_band),
    Field("offer_floor", "number", "Least price of the band.", of_action=lambda view: _limit(view, "floor")),
    Field("offer_ceiling", "number", "Highest price of the band.",
          of_action=lambda view: _limit(view, "ceiling")),
    Field("offer_advertised_min", "number", "Least price that many may see (MAP); null if there is none.",
          of_action=lambda view: _limit(view, "advertised_min")),
    Field("offer_least", "number", "Least price that leaves the catalogue's margin.",
          of_action=lambda view: _limit(view, "least")),
    Field("offer_margin_ratio", "number", "Share of the price that is left after the cost of serving.",
          of_action=_margin),
    Field("catalogue_margin_min_ratio", "number", "The least margin that the catalogue asks for.",
          of_action=lambda view: view.catalogue.margin_min_ratio),
    Field("offer_seats_max", "number", "Most seats of the plan that is offered; null if there is no limit.",
          of_action=_seats_max),
    Field("offer_sold_out", "texts", "Add-ons of the action's bundle that are sold out.", of_action=_sold_out),
    Field("offer_not_beside_plan", "texts", "The bundle or its add-ons, where not sold beside the account's plan.",
          of_action=_not_beside_plan),
    Field("words_missing", "texts",
          "Disclosures and template that the action needs and that lack the account's language.",
          of_action=_words_missing),
    Field("call_possible", "bool", "Whether an hour for a call is free of quiet ones within two weeks.",
          of_action=_call_possible),
)  # fmt: skip
"""Fields of what an action asks and says."""
