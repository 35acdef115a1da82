"""What a rule may speak of: every name, its type, and where its value comes from.

All numbers are doubles, so that no expression fails on mixing kinds of numbers. A field is null where its value
is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.decisions.frame import CHURN, UPSELL
from serving.decisions.local_time import in_quiet_hours, local_now
from serving.decisions.policy.commercial_fields import COMMERCIAL_FIELDS
from serving.decisions.policy.field import Field, Kind, Value
from serving.decisions.policy.sections import UNBOUND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.bundle.manifest import Manifest
    from serving.decisions.catalogue import Catalogue, Plan
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.action_view import ActionView

__all__ = ["ACCOUNT_FIELDS", "ACTION_FIELDS", "Field", "Kind", "Value", "fields_of", "policy_fields"]

_KINDS: dict[str, Kind] = {"Float64": "number", "Int64": "number", "Bool": "bool", "String": "text"}
CONSENT = {"in_app": "consent_in_app", "email": "consent_email", "phone": "consent_phone"}


def _plan(frame: DecisionFrame, catalogue: Catalogue) -> Plan | None:
    return catalogue.plans_by_key.get(frame.plan or "")


def _on_top_plan(frame: DecisionFrame, catalogue: Catalogue) -> bool | None:
    plan = _plan(frame, catalogue)
    return None if plan is None else catalogue.next_plan(plan.key) is None


def _plan_seats_max(frame: DecisionFrame, catalogue: Catalogue) -> float | None:
    plan = _plan(frame, catalogue)
    return None if plan is None or plan.seats_max is None else float(plan.seats_max)


def _local_hour(frame: DecisionFrame, _catalogue: Catalogue) -> float | None:
    local = local_now(frame)
    return None if local is None else float(local.hour)


def _local_weekday(frame: DecisionFrame, _catalogue: Catalogue) -> float | None:
    local = local_now(frame)
    return None if local is None else float(local.isoweekday())


def _region_sold(frame: DecisionFrame, catalogue: Catalogue) -> bool | None:
    region = frame.text("region")
    return True if not catalogue.regions else None if region is None else region in catalogue.regions


def _consent(view: ActionView) -> bool | None:
    name = CONSENT.get(view.action.channel)
    return True if name is None else view.frame.flag(name)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


ACCOUNT_FIELDS = (
    Field("evidence_status", "text", "`full`, `thin` or `stale`.", lambda frame, _: frame.evidence_status),
    Field("evidence_reasons", "texts",
          "Why not full: `stale_view`, `missing_view`, `new_account`, `unknown_age`, `unlike_training`, "
          "`failed_check`.",
          lambda frame, _: tuple(frame.evidence.get("reasons", ()))),
    Field("surface", "text", "Where the action would be shown; null if anywhere.", lambda frame, _: frame.surface),
    Field("churn_risk", "number", "Probability of leaving within the scored horizon.",
          lambda frame, _: frame.churn_risk),
    Field("account_plan", "text", "The account's plan; of one that has left, the plan that it had.",
          lambda frame, _: frame.plan),
    Field("plan_in_catalogue", "bool", "Whether the catalogue knows that plan.",
          lambda frame, catalogue: None if frame.plan is None else _plan(frame, catalogue) is not None),
    Field("on_top_plan", "bool", "Whether no plan is above the account's.", _on_top_plan),
    Field("plan_seats_max", "number", "Most seats that the plan allows; null if there is no limit.", _plan_seats_max),
    Field("local_hour", "number", "Hour of the day on the account's clock, 0 to 23.", _local_hour),
    Field("local_weekday", "number", "Day of the week on the account's calendar, Monday 1 to Sunday 7.",
          _local_weekday),
    Field("in_quiet_hours", "bool", "Whether it is quiet at the account now.",
          lambda frame, _: in_quiet_hours(frame)),
    Field("account_region", "text", "The account's region.", lambda frame, _: frame.text("region")),
    Field("region_sold", "bool", "Whether the catalogue sells in the account's region.", _region_sold),
    Field("recent_contact_days", "number", "Days since the last touch with the account's people; null: none known.",
          lambda frame, _: frame.number("days_since_last_touch")),
    Field("contacts_28d", "number", "Touches with the account's people in the last 28 days; null: not known.",
          lambda frame, _: frame.number("touches_28d")),
    Field("days_since_leaving", "number",
          "Days since its last paid subscription ended; null: one runs, there was none, or that is not known.",
          lambda frame, _: frame.number("days_since_end")),
    Field("return_chance", "number",
          "Probability that an account that has left comes back within the scored horizon; null: not known.",
          lambda frame, _: frame.winback_probability.get(frame.score_horizon)),
    Field("bears_win_back", "bool",
          "Whether what is known bears a decision about an account that has left: its views are fresh and there.",
          lambda frame, _: frame.bears_win_back),
    Field("recent_complaints", "number", "Complaints of the last 90 days; null: none known.",
          lambda frame, _: frame.number("complaints_90d")),
)  # fmt: skip

ACTION_FIELDS = (
    Field("action_key", "text", "The action's key.", of_entry=lambda action: action.key),
    Field("action_type", "text", "Its type.", of_entry=lambda action: action.type),
    Field("action_channel", "text", "Its channel.", of_entry=lambda action: action.channel),
    Field("action_cost", "number", "Its cost, in the catalogue's currency.",
          of_entry=lambda action: float(action.cost)),
    Field("action_surfaces", "texts", "Where it may be shown.", of_entry=lambda action: action.surfaces),
    Field("action_plans", "texts", "Plans that it is for; empty: all.",
          of_entry=lambda action: action.requires.plans),
    Field("action_seats_min", "number", "Fewest seats that it is for; null: any.",
          of_entry=lambda action: _number(action.requires.seats_min)),
    Field("action_during_incident", "bool", "Whether it may be done during an incident.",
          of_entry=lambda action: action.requires.during_incident),
    Field("action_days_after_complaint", "number", "Days of silence that it keeps after a complaint.",
          of_entry=lambda action: float(action.requires.days_after_complaint)),
    Field("action_open_tickets_max", "number", "Most open tickets that it bears; null: any number.",
          of_entry=lambda action: _number(action.requires.open_tickets_max)),
    Field("action_adds", "text", "How it adds revenue: `none`, `next_plan`, `seats`, `share_of_mrr`, `fixed`.",
          of_entry=lambda action: action.extra_mrr.rule),
    Field("channel_consent", "bool", "Whether the account consents to the action's channel; true if internal.",
          of_action=_consent),
    Field("action_audience", "text", "Whom it is for: accounts that are `subscribed`, or such that have `left`.",
          of_entry=lambda action: action.audience),
    Field("action_purpose", "text", "What the account is spoken to for: `service` or `marketing`.",
          of_entry=lambda action: action.purpose_or_default),
    Field("action_sells", "bool", "Whether money changes hands by it.", of_entry=lambda action: action.sells),
    Field("action_blast_radius", "text", "How far it reaches if it is wrong: `low`, `medium`, `high`.",
          of_entry=lambda action: action.blast_radius),
    Field("action_regions", "texts", "Regions that it is for; empty: all.",
          of_entry=lambda action: action.regions),
    *COMMERCIAL_FIELDS,
)  # fmt: skip


def _feature_field(name: str, kind: Kind, description: str) -> Field:
    if kind == "text":
        return Field(name, kind, description, lambda frame, _: frame.text(name))
    if kind == "bool":
        return Field(name, kind, description, lambda frame, _: frame.flag(name))
    return Field(name, kind, description, lambda frame, _: frame.number(name))


def policy_fields(
    features: Iterable[tuple[str, str, str]], probabilities: Iterable[str]
) -> Mapping[str, Field]:
    """Return every field by its name.

    Args:
        features: Name, dtype and description of each feature of the contract.
        probabilities: Names like `churn_probability_90d`.
    """
    fields = [_feature_field(name, _KINDS[dtype], text) for name, dtype, text in features]
    fields += [_feature_field(name, "number", "A probability of the score.") for name in probabilities]
    return {field.name: field for field in (*fields, *ACCOUNT_FIELDS, *ACTION_FIELDS, *UNBOUND)}


def fields_of(manifest: Manifest) -> Mapping[str, Field]:
    """Return the fields of decisions about accounts that a bundle with this *manifest* scored."""
    prefixes = {"churn": CHURN, "upsell": UPSELL}
    return policy_fields(
        ((feature.name, feature.dtype, feature.description) for feature in manifest.contract.features),
        (f"{prefixes[head.name]}{days}d" for head in manifest.heads for days in head.horizons_days),
    )
