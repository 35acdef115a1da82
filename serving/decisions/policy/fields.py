"""What a rule may speak of: every name, its type, and where its value comes from.

All numbers are doubles, so that no expression fails on mixing kinds of numbers. A field is null where its value
is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from serving.decisions.frame import CHURN, UPSELL
from serving.decisions.local_time import in_quiet_hours, local_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.bundle.manifest import Manifest
    from serving.decisions.catalogue import Action, Catalogue, Plan
    from serving.decisions.frame import DecisionFrame

Kind = Literal["bool", "number", "text", "texts"]
Value = bool | float | str | tuple[str, ...] | None
OfFrame = Callable[["DecisionFrame", "Catalogue"], Value]
OfAction = Callable[["DecisionFrame", "Action"], Value]

_KINDS: dict[str, Kind] = {"Float64": "number", "Int64": "number", "Bool": "bool", "String": "text"}
CONSENT = {"in_app": "consent_in_app", "email": "consent_email", "phone": "consent_phone"}


@dataclass(frozen=True, slots=True)
class Field:
    """One name that a rule may use.

    Attributes:
        name: The name.
        kind: Type of its value.
        description: What it is, for people.
        of_frame: Reads it from account and catalogue; None for a field of the action.
        of_action: Reads it for one action; None for a field of the account.
    """

    name: str
    kind: Kind
    description: str
    of_frame: OfFrame | None = None
    of_action: OfAction | None = None


def _plan(frame: DecisionFrame, catalogue: Catalogue) -> Plan | None:
    return catalogue.plans_by_key.get(frame.text("plan") or "")


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


def _consent(frame: DecisionFrame, action: Action) -> bool | None:
    name = CONSENT.get(action.channel)
    return True if name is None else frame.flag(name)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


ACCOUNT_FIELDS = (
    Field("evidence_status", "text", "`full`, `thin` or `stale`.", lambda frame, _: frame.evidence_status),
    Field("evidence_reasons", "texts", "Why not full: `stale_view`, `missing_view`, `new_account`, `unlike_training`.",
          lambda frame, _: tuple(frame.evidence.get("reasons", ()))),
    Field("surface", "text", "Where the action would be shown; null if anywhere.", lambda frame, _: frame.surface),
    Field("churn_risk", "number", "Probability of leaving within the scored horizon.",
          lambda frame, _: frame.churn_risk),
    Field("plan_in_catalogue", "bool", "Whether the catalogue knows the account's plan.",
          lambda frame, catalogue: None if frame.text("plan") is None else _plan(frame, catalogue) is not None),
    Field("on_top_plan", "bool", "Whether no plan is above the account's.", _on_top_plan),
    Field("plan_seats_max", "number", "Most seats that the plan allows; null if there is no limit.", _plan_seats_max),
    Field("local_hour", "number", "Hour of the day on the account's clock, 0 to 23.", _local_hour),
    Field("local_weekday", "number", "Day of the week on the account's calendar, Monday 1 to Sunday 7.",
          _local_weekday),
    Field("in_quiet_hours", "bool", "Whether it is quiet at the account now.",
          lambda frame, _: in_quiet_hours(frame)),
)  # fmt: skip

ACTION_FIELDS = (
    Field("action_key", "text", "The action's key.", of_action=lambda _, action: action.key),
    Field("action_type", "text", "Its type.", of_action=lambda _, action: action.type),
    Field("action_channel", "text", "Its channel.", of_action=lambda _, action: action.channel),
    Field("action_cost", "number", "Its cost, in the catalogue's currency.",
          of_action=lambda _, action: float(action.cost)),
    Field("action_surfaces", "texts", "Where it may be shown.", of_action=lambda _, action: action.surfaces),
    Field("action_plans", "texts", "Plans that it is for; empty: all.",
          of_action=lambda _, action: action.requires.plans),
    Field("action_seats_min", "number", "Fewest seats that it is for; null: any.",
          of_action=lambda _, action: _number(action.requires.seats_min)),
    Field("action_during_incident", "bool", "Whether it may be done during an incident.",
          of_action=lambda _, action: action.requires.during_incident),
    Field("action_days_after_complaint", "number", "Days of silence that it keeps after a complaint.",
          of_action=lambda _, action: float(action.requires.days_after_complaint)),
    Field("action_open_tickets_max", "number", "Most open tickets that it bears; null: any number.",
          of_action=lambda _, action: _number(action.requires.open_tickets_max)),
    Field("action_adds", "text", "How it adds revenue: `none`, `next_plan`, `seats`, `share_of_mrr`, `fixed`.",
          of_action=lambda _, action: action.extra_mrr.rule),
    Field("channel_consent", "bool", "Whether the account consents to the action's channel; true if internal.",
          of_action=_consent),
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
    return {field.name: field for field in (*fields, *ACCOUNT_FIELDS, *ACTION_FIELDS)}


def fields_of(manifest: Manifest) -> Mapping[str, Field]:
    """Return the fields of decisions about accounts that a bundle with this *manifest* scored."""
    prefixes = {"churn": CHURN, "upsell": UPSELL}
    return policy_fields(
        ((feature.name, feature.dtype, feature.description) for feature in manifest.contract.features),
        (f"{prefixes[head.name]}{days}d" for head in manifest.heads for days in head.horizons_days),
    )
