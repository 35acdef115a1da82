"""The fixed words of a catalogue: action types, channels, surfaces, blast radii."""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

ActionType = Literal[
    "propose_offer_within_bands",
    "start_trial_or_upgrade",
    "schedule_success_call",
    "send_enablement_guide",
    "create_bundle_within_policy",
    "adjust_seats_within_policy",
    "enforce_frequency_caps",
    "open_experiment",
    "annotate_account",
    "publish_status",
]
ACTION_TYPES: Final[tuple[str, ...]] = get_args(ActionType)
Channel = Literal["in_app", "email", "phone", "internal"]
Surface = Literal["in_app", "email", "account_card", "daily_list"]
BlastRadius = Literal["low", "medium", "high"]
"""How far an action reaches if it is wrong: nobody but one reader, one account's money, many readers."""
Audience = Literal["subscribed", "left"]
"""Accounts that have a subscription, or such that have left."""
Purpose = Literal["service", "marketing"]
"""What an account is spoken to for: to serve what it has bought, or to sell it more."""
SELLING_TYPES: Final[frozenset[str]] = frozenset(
    {
        "propose_offer_within_bands",
        "start_trial_or_upgrade",
        "create_bundle_within_policy",
        "adjust_seats_within_policy",
    }
)
"""Types by which money changes hands."""

EVERY_TEMPLATE_VALUE: Final = ("account_id", "plan", "seats", "title")
"""What a message of any action may name."""
TEMPLATE_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "propose_offer_within_bands": ("item", "price", "list_price", "term_months", "expires_on"),
    "start_trial_or_upgrade": ("plan_to", "price", "starts_on", "trial_ends_on"),
    "schedule_success_call": ("starts_on", "duration_minutes", "topic"),
    "send_enablement_guide": ("guide",),
    "create_bundle_within_policy": ("bundle", "parts", "price", "starts_on"),
    "adjust_seats_within_policy": ("seats_to", "price_change", "starts_on"),
    "enforce_frequency_caps": ("contacts_max", "window_days"),
    "open_experiment": ("experiment", "hypothesis"),
    "annotate_account": ("note",),
    "publish_status": ("status",),
}
"""What a message of an action of each type may name besides; a test holds the types against it."""


class CatalogueValue(BaseModel):
    """Base of every part: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
