"""A table of cases per rule: what stops an action, at which stage, and what does not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from serving.decisions.local_time import is_quiet
from tests.serving.decisions.frames import NOON_UTC, action, catalogue, decide, frame, upgrade

NIGHT = NOON_UTC.replace(hour=21)
CALL = action("call", type="schedule_success_call", channel="phone", surfaces=["account_card"])
NOTE = action("note", type="annotate_account", channel="internal", surfaces=["account_card"])
SEATS = upgrade(type="adjust_seats_within_policy", extra_mrr={"rule": "seats", "share": 0.2})


ADOPTION = {"feature": "adoption_ratio", "at_most": 0.1}
NO_CONSENT = {"consent_email": None, "consent_in_app": None, "consent_phone": None}
NO_HOURS = {"quiet_hours_start": None, "quiet_hours_end": None, "timezone": None}


def needs(feature: str, **bounds: float) -> dict[str, Any]:
    """Return an action that needs *feature* within *bounds*."""
    return action(requires={"all": [{"feature": feature, **bounds}]})


def outcome(one: dict[str, Any], **changes: Any) -> str:
    """Return `stands`, or stage and rule by which the only action of the catalogue falls."""
    decision = decide(frame(**changes), catalogue(one))
    if decision.winner is not None:
        assert decision.refused == ()
        return "stands"
    return f"{decision.refused[0].stage}/{decision.refused[0].rule}"


@pytest.mark.parametrize(
    ("one", "changes", "expected"),
    [
        (action(), {}, "stands"),
        (action(), {"evidence_status": "stale"}, "identity_and_freshness/evidence_stale"),
        (action(), {"evidence_status": "thin"}, "identity_and_freshness/evidence_thin"),
        (action(), {"features": {"has_active_subscription": None}}, "eligibility/subscription_unknown"),
        (action(), {"features": {"has_active_subscription": False}}, "eligibility/no_active_subscription"),
        (action(), {"features": {"plan": None}}, "eligibility/plan_unknown"),
        (action(), {"features": {"plan": "gold"}}, "eligibility/plan_not_in_catalogue"),
        (action(requires={"plans": ["business"]}), {}, "eligibility/plan_not_entitled"),
        (action(requires={"plans": ["team"]}), {}, "stands"),
        (upgrade(), {}, "stands"),
        (upgrade(), {"features": {"plan": "business"}}, "eligibility/already_on_top_plan"),
        (upgrade(), {"features": {"seats": None}}, "eligibility/seats_unknown"),
        (action(requires={"seats_min": 50}), {}, "eligibility/too_few_seats"),
        (action(requires={"seats_min": 20}), {}, "stands"),
        (SEATS, {}, "stands"),
        (SEATS, {"features": {"plan": "business", "seats": 100}}, "eligibility/seats_at_plan_maximum"),
        (SEATS, {"features": {"plan": "business", "seats": 99}}, "stands"),
        (action(), {"surface": "in_app"}, "applicability/not_on_this_surface"),
        (action(), {"surface": "email"}, "stands"),
        (action(), {"features": {"incident_active": True}}, "applicability/incident_active"),
        (action(), {"features": {"incident_active": None}}, "applicability/incident_unknown"),
        (action(requires={"during_incident": True}), {"features": {"incident_active": True}}, "stands"),
        (action(), {"features": {"last_complaint_days": 13}}, "applicability/complaint_window"),
        (action(), {"features": {"last_complaint_days": 14}}, "stands"),
        (action(), {"features": {"open_tickets": 3}}, "applicability/open_tickets"),
        (action(), {"features": {"open_tickets": 2}}, "stands"),
        (action(requires={"open_tickets_max": None}), {"features": {"open_tickets": 99}}, "stands"),
        (needs("adoption_ratio", at_most=0.1), {}, "applicability/condition"),
        (needs("adoption_ratio", at_most=0.2), {}, "stands"),
        (needs("adoption_ratio", at_most=1),
         {"features": {"adoption_ratio": None}}, "applicability/condition"),
        (action(requires={"any": [ADOPTION, {"feature": "seats", "at_least": 20}]}),
         {}, "stands"),
        (needs("churn_probability_90d", at_least=0.5), {}, "applicability/condition"),
        (needs("churn_probability_90d", at_least=0.5), {"churn": 0.5}, "stands"),
        (action(), {"features": {"consent_email": False}}, "contact_policy/no_consent"),
        (action(), {"features": {"consent_email": None}}, "contact_policy/consent_unknown"),
        (upgrade(), {"features": {"consent_in_app": False}}, "contact_policy/no_consent"),
        (CALL, {"features": {"consent_phone": False}}, "contact_policy/no_consent"),
        (NOTE, {"features": NO_CONSENT}, "stands"),
        (action(), {"now": NIGHT}, "contact_policy/quiet_hours"),
        (CALL, {"now": NIGHT}, "contact_policy/quiet_hours"),
        (upgrade(), {"now": NIGHT}, "stands"),
        (NOTE, {"now": NIGHT}, "stands"),
        (action(), {"now": NIGHT, "features": {"timezone": "America/Los_Angeles"}}, "stands"),
        (action(), {"features": {"timezone": "Asia/Tokyo"}}, "contact_policy/quiet_hours"),
        (action(), {"features": {"timezone": "Mars/Olympus"}}, "contact_policy/time_zone_unknown"),
        (action(), {"features": {"timezone": None}}, "contact_policy/time_zone_unknown"),
        (action(), {"features": {"quiet_hours_end": None}}, "contact_policy/quiet_hours_unknown"),
        (action(), {"features": NO_HOURS}, "stands"),
        (action(), {"features": {"mrr": None}}, "uplift_and_value/value_unknown"),
        (action(cost=500), {}, "uplift_and_value/not_worth_its_cost"),
        (action(priors={"retain": {"mean": 0.1, "sd": 0.07}}), {}, "uplift_and_value/lift_not_above_zero"),
        (action(priors={"retain": {"mean": -0.1, "sd": 0.01}}), {}, "uplift_and_value/sleeping_dog"),
        (action(priors={}), {}, "uplift_and_value/lift_not_above_zero"),
        (action(), {"churn": 0.0}, "uplift_and_value/sure_thing"),
        (action(), {"churn": 0.02}, "uplift_and_value/sure_thing"),
        (action(), {"churn": 0.021}, "stands"),
        (action(), {"churn": 0.951}, "uplift_and_value/lost_cause"),
        (action(), {"churn": 0.94}, "stands"),
        (upgrade(), {"upsell_probability": {"90d": 0.95}}, "uplift_and_value/sure_thing"),
        (upgrade(), {"upsell_probability": {"90d": 0.01}}, "stands"),
        (upgrade(priors={"expand": {"mean": 0.1, "sd": 0.07}}),
         {"upsell_probability": {"90d": 0.01}}, "uplift_and_value/lost_cause"),
        (upgrade(priors={"expand": {"mean": 0.1, "sd": 0.07}}), {}, "uplift_and_value/lift_not_above_zero"),
        (action(), {"features": {"mrr": -400.0}}, "uplift_and_value/value_unknown"),
    ],
)  # fmt: skip
def test_each_rule_stops_what_it_should_and_nothing_else(
    one: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    """An account that satisfies all rules gets the action; one change makes it fall by the rule it breaks."""
    assert outcome(one, **changes) == expected


@pytest.mark.parametrize(
    ("start", "end", "quiet"),
    [
        (20, 7, {20, 21, 22, 23, 0, 1, 2, 3, 4, 5, 6}),
        (9, 12, {9, 10, 11}),
        (0, 1, {0}),
        (7, 7, set()),
        (23, 0, {23}),
    ],
)
def test_quiet_hours_may_span_midnight(start: int, end: int, quiet: set[int]) -> None:
    """The start is quiet, the end is not, and equal ends mean that there are none."""
    assert {hour for hour in range(24) if is_quiet(hour, start, end)} == quiet


def test_the_account_hears_nothing_while_its_clocks_change() -> None:
    """Quiet hours follow the account's local clock on the day when summer time begins."""
    before = dt.datetime(2026, 3, 29, 4, 59, tzinfo=dt.UTC)  # 6:59 in Berlin, an hour after the change
    assert outcome(action(), now=before) == "contact_policy/quiet_hours"
    assert outcome(action(), now=before + dt.timedelta(minutes=1)) == "stands"
