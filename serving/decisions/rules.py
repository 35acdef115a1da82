"""The rules that a candidate must pass, stage by stage; anything missing stops it, and every rule says so.

A rule is a function of the frame, the catalogue and the action that returns None when the action may go on,
or the rule's name and a sentence when it falls. A candidate falls by the first rule that it does not pass.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from serving.decisions.catalogue import Action, Catalogue
from serving.decisions.decision import Refusal
from serving.decisions.frame import DecisionFrame

Fault = tuple[str, str]
Rule = Callable[[DecisionFrame, Catalogue, Action], Fault | None]

CONSENT = {"in_app": "consent_in_app", "email": "consent_email", "phone": "consent_phone"}
QUIET_CHANNELS = ("email", "phone")
HOURS = 24


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def evidence(frame: DecisionFrame, _catalogue: Catalogue, _action: Action) -> Fault | None:
    """Refuse on stale or thin evidence."""
    if frame.evidence_status == "stale":
        return "evidence_stale", "Features are older than their view's limit"
    if frame.evidence_status == "thin":
        return "evidence_thin", "Features that a decision needs are missing"
    return None


def subscription(frame: DecisionFrame, _catalogue: Catalogue, _action: Action) -> Fault | None:
    """Refuse for an account that does not pay for anything now, or of which that is not known."""
    active = frame.flag("has_active_subscription")
    if active is None:
        return "subscription_unknown", "Whether the account has an active subscription is not known"
    return None if active else ("no_active_subscription", "The account has no active subscription")


def plan(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse where the plan is unknown, or the action isn't for that plan."""
    key = frame.text("plan")
    if key is None:
        return "plan_unknown", "The account's plan is not known"
    if key not in catalogue.plans_by_key:
        return "plan_not_in_catalogue", f"The account's plan {key!r} is not in the catalogue"
    if action.requires.plans and key not in action.requires.plans:
        return (
            "plan_not_entitled",
            f"The action is for plans {', '.join(action.requires.plans)}, not for {key}",
        )
    return None


def room_to_grow(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse an upgrade from the top plan, and seats beyond what the plan allows."""
    current = catalogue.plans_by_key[frame.text("plan") or ""]
    upgrades = action.type == "start_trial_or_upgrade" or action.extra_mrr.rule == "next_plan"
    if upgrades and catalogue.next_plan(current.key) is None:
        return "already_on_top_plan", f"{current.name} is the top plan"
    needs_seats = action.extra_mrr.rule in {"seats", "next_plan"} or action.requires.seats_min is not None
    if not needs_seats:
        return None
    seats = frame.number("seats")
    if seats is None:
        return "seats_unknown", "The number of seats is not known"
    if action.requires.seats_min is not None and seats < action.requires.seats_min:
        return "too_few_seats", f"The action is for accounts with {action.requires.seats_min} seats or more"
    if action.extra_mrr.rule == "seats" and current.seats_max is not None and seats >= current.seats_max:
        return "seats_at_plan_maximum", f"{current.name} allows no more than {current.seats_max} seats"
    return None


def surface(frame: DecisionFrame, _catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse where the action isn't for the surface that asked."""
    if frame.surface is None or frame.surface in action.surfaces:
        return None
    return "not_on_this_surface", f"The action is not shown on {frame.surface}"


def incident(frame: DecisionFrame, _catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse during an incident that affects the account."""
    if action.requires.during_incident:
        return None
    active = frame.flag("incident_active")
    if active is None:
        return "incident_unknown", "Whether an incident affects the account is not known"
    return ("incident_active", "An incident affects the account right now") if active else None


def complaint(frame: DecisionFrame, _catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse within the days of silence after a complaint; without complaints there is none to wait for."""
    days = frame.number("last_complaint_days")
    window = action.requires.days_after_complaint
    if days is None or days >= window:
        return None
    return "complaint_window", f"The account complained {days:.0f} days ago; the action waits {window} days"


def open_tickets(frame: DecisionFrame, _catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse while too many tickets are open; accounts without a ticket table have none that are known."""
    most = action.requires.open_tickets_max
    count = frame.number("open_tickets")
    if most is None or count is None or count <= most:
        return None
    return "open_tickets", f"{count:.0f} tickets are open; the action waits until there are {most} or fewer"


def conditions(frame: DecisionFrame, _catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse where the action's own conditions (limits that are near, risk) do not hold."""
    for condition in action.requires.all:
        value = frame.number(condition.feature)
        if not condition.holds(value):
            return "condition", f"Needs {condition}; it is {_shown(value)}"
    if action.requires.any and not any(
        condition.holds(frame.number(condition.feature)) for condition in action.requires.any
    ):
        wanted = ", or ".join(str(condition) for condition in action.requires.any)
        return "condition", f"Needs {wanted}"
    return None


def consent(frame: DecisionFrame, _catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse a channel that the account did not consent to."""
    if action.channel == "internal":
        return None
    given = frame.flag(CONSENT[action.channel])
    if given is None:
        return "consent_unknown", f"Whether the account consents to {action.channel} is not known"
    return None if given else ("no_consent", f"The account does not consent to {action.channel}")


def quiet_hours(frame: DecisionFrame, _catalogue: Catalogue, action: Action) -> Fault | None:
    """Refuse e-mail and calls during the account's quiet hours, in its own time zone."""
    if action.channel not in QUIET_CHANNELS:
        return None
    start, end = frame.number("quiet_hours_start"), frame.number("quiet_hours_end")
    if start is None and end is None:
        return None
    if start is None or end is None:
        return "quiet_hours_unknown", "Only one end of the account's quiet hours is known"
    name = frame.text("timezone")
    zone = _zone(name) if name else None
    if zone is None:
        return "time_zone_unknown", "The account has quiet hours, but its time zone is not known"
    hour = frame.now.astimezone(zone).hour
    if is_quiet(hour, int(start), int(end)):
        return (
            "quiet_hours",
            f"It is {hour}:00 to {hour}:59 in {name}; quiet hours are {start:.0f} to {end:.0f}",
        )
    return None


def is_quiet(hour: int, start: int, end: int) -> bool:
    """Return whether *hour* lies in the quiet hours from *start* until *end*; equal ends mean none."""
    return (hour - start) % HOURS < (end - start) % HOURS


def quiet_from(frame: DecisionFrame) -> dt.datetime | None:
    """Return when the account's next quiet hours begin, or None if it has none that are known."""
    start, end, name = (
        frame.number("quiet_hours_start"),
        frame.number("quiet_hours_end"),
        frame.text("timezone"),
    )
    zone = _zone(name) if name else None
    if start is None or end is None or zone is None or start == end:
        return None
    local = frame.now.astimezone(zone)
    begin = local.replace(hour=int(start), minute=0, second=0, microsecond=0)
    if begin <= local:
        begin += dt.timedelta(days=1)
    return begin.astimezone(dt.UTC)


STAGES: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("identity_and_freshness", (evidence,)),
    ("eligibility", (subscription, plan, room_to_grow)),
    ("applicability", (surface, incident, complaint, open_tickets, conditions)),
    ("contact_policy", (consent, quiet_hours)),
)

POLICY_HASH = (
    "sha256:"
    + hashlib.sha256(
        json.dumps(
            {
                "name": "built_in",
                "version": 1,
                "stages": [[stage, [rule.__name__ for rule in rules]] for stage, rules in STAGES],
                "quiet_channels": QUIET_CHANNELS,
            }
        ).encode()
    ).hexdigest()
)


def first_fault(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> Refusal | None:
    """Return where *action* falls for the account of *frame*, or None if it passes every rule."""
    for stage, rules in STAGES:
        for rule in rules:
            fault = rule(frame, catalogue, action)
            if fault is not None:
                return Refusal(action=action.key, stage=stage, rule=fault[0], text=fault[1])
    return None


def _shown(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"
