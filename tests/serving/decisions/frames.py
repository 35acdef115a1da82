"""Frames and catalogues for decision tests: an account that satisfies every rule, and changes to it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from serving.decisions.catalogue import Catalogue
from serving.decisions.frame import DecisionFrame, Effect
from serving.decisions.next_best_action import decide as decide_by
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.decisions.policy.fields import policy_fields

if TYPE_CHECKING:
    from serving.decisions.decision import Decision

NOON_UTC = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
FEATURES: dict[str, Any] = {
    "plan": "team",
    "seats": 20,
    "mrr": 400.0,
    "discount_ratio": 0.0,
    "has_active_subscription": True,
    "incident_active": False,
    "last_complaint_days": None,
    "open_tickets": 0,
    "invoices_overdue": 0,
    "preferred_channel": None,
    "consent_email": True,
    "consent_in_app": True,
    "consent_phone": True,
    "timezone": "Europe/Berlin",
    "quiet_hours_start": 20,
    "quiet_hours_end": 7,
    "seat_utilisation_ratio": 0.95,
    "api_limit_utilisation_ratio": 0.9,
    "adoption_ratio": 0.2,
    "region": "europe",
    "locale": "en-GB",
    "segment": "smb",
    "days_since_last_touch": 9,
    "touches_28d": 3,
    "complaints_90d": 0,
    "days_since_end": None,
    "mrr_at_end": None,
    "plan_at_end": None,
    "seats_at_end": None,
}
LEFT: dict[str, Any] = {
    "plan": None,
    "seats": 0,
    "mrr": 0.0,
    "discount_ratio": None,
    "has_active_subscription": False,
    "days_since_end": 90.0,
    "mrr_at_end": 400.0,
    "plan_at_end": "team",
    "seats_at_end": 20,
}
"""What features say of an account that left three months ago, where they differ."""


TEXTS = ("plan", "plan_at_end", "timezone", "preferred_channel", "region", "locale", "segment")
FIELDS = policy_fields(
    (
        (name, "String" if name in TEXTS else "Bool" if isinstance(value, bool) else "Float64", "")
        for name, value in FEATURES.items()
    ),
    ("churn_probability_90d",),
)
POLICY = Policy(load_policy(), FIELDS)


def decide(one: DecisionFrame, plans: Catalogue, policy: Policy = POLICY) -> Decision:
    """Decide by the packaged policy, or by *policy*."""
    return decide_by(one, plans, policy)


def frame(*, features: dict[str, Any] | None = None, churn: float = 0.4, **changes: Any) -> DecisionFrame:
    """Return the frame of an account to which all may be proposed, with *features* and *changes* applied."""
    values: dict[str, Any] = {
        "account_id": "acme-0042",
        "now": NOON_UTC,
        "surface": None,
        "features": {**FEATURES, **(features or {})},
        "churn_probability": {"30d": churn / 3, "60d": churn / 2, "90d": churn},
        "upsell_probability": {"30d": 0.1, "60d": 0.2, "90d": 0.3},
        "score_horizon": "90d",
        "evidence_status": "full",
        "evidence": {"status": "full"},
        "fresh_until": NOON_UTC + dt.timedelta(hours=36),
        "model": "keepgrow:test",
        "feature_contract": "sha256:test",
        "caps_used": {},
    }
    return DecisionFrame(**{**values, **changes})


def learnt(
    action_name: str = "guide",
    *,
    retained: tuple[float, float] | None = None,
    expanded: tuple[float, float] | None = None,
    returned: tuple[float, float] | None = None,
    basis: str = "uplift",
) -> dict[str, Any]:
    """Return changes to `frame`: effects of an action (a key or a type) as mean and standard error by outcome."""
    found = {"retained": retained, "expanded": expanded, "returned": returned}
    effects = {
        outcome: Effect(*numbers, basis, "x", 800)
        for outcome, numbers in found.items()
        if numbers is not None
    }
    return {"effects": {action_name: effects}, "effects_window_days": 90}


def leaver(
    *, back: float | None = None, features: dict[str, Any] | None = None, **changes: Any
) -> DecisionFrame:
    """Return the frame of an account that has left and may be won back, *back* being its chance to return."""
    told = {} if back is None else {"30d": back / 3, "60d": back / 2, "90d": back}
    return frame(features={**LEFT, **(features or {})}, winback_probability=told, **changes)


def action(key: str = "guide", **changes: Any) -> dict[str, Any]:
    """Return an action of a catalogue that is worth proposing to the account of `frame`."""
    return {
        "key": key,
        "type": "send_enablement_guide",
        "title": "Send the guide",
        "reason_code": "value_unlock",
        "reason_text": "Little of the plan is used.",
        "channel": "email",
        "surfaces": ["email", "account_card"],
        "cost": 2.0,
        "priors": {"retain": {"mean": 0.1, "sd": 0.02}},
        **changes,
    }


def upgrade(**changes: Any) -> dict[str, Any]:
    """Return an action that offers the next plan."""
    return action(
        "upgrade",
        **{
            "type": "start_trial_or_upgrade",
            "channel": "in_app",
            "surfaces": ["in_app", "account_card"],
            "priors": {"expand": {"mean": 0.1, "sd": 0.02}},
            "extra_mrr": {"rule": "next_plan"},
            **changes,
        },
    )


def document(*actions: dict[str, Any]) -> dict[str, Any]:
    """Return a catalogue document with two plans and *actions*."""
    return {
        "version": 1,
        "currency": "USD",
        "margin": 0.5,
        "plans": [
            {"key": "team", "name": "Team", "rank": 1, "mrr_list": 100, "price_per_seat": 10,
             "seats_included": 10},
            {"key": "business", "name": "Business", "rank": 5, "mrr_list": 500, "price_per_seat": 20,
             "seats_included": 15, "seats_max": 100},
        ],
        "actions": list(actions) or [action()],
    }  # fmt: skip


def catalogue(*actions: dict[str, Any]) -> Catalogue:
    """Return a catalogue with two plans and *actions*."""
    return Catalogue.model_validate(document(*actions))
