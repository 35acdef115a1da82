"""The decision: value, ranking, what is said of the rest, and what never happens whatever the input."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decisions.catalogue import Catalogue
from tests.serving.decisions.frames import (
    NOON_UTC,
    action,
    catalogue,
    decide,
    document,
    frame,
    upgrade,
)
from tests.serving.decisions.strategies import PACKAGED, learnt_frames

if TYPE_CHECKING:
    from serving.decisions.frame import DecisionFrame


def test_retain_value_is_margin_times_a_year_of_the_share_of_churn_that_is_prevented() -> None:
    """0.5 margin, 12 months of 400 MRR, a tenth of a churn probability of 0.4, less a cost of 2."""
    decision = decide(frame(), catalogue(action()))
    value = decision.winner.value
    assert value.lift_retain == pytest.approx(0.1 * 0.4)
    assert value.amount == pytest.approx(0.5 * 12 * 400 * 0.04 - 2)
    spread = 1.6448536269514722 * 0.5 * 12 * 400 * 0.02 * 0.4
    assert (value.low, value.high) == pytest.approx((value.amount - spread, value.amount + spread))


def test_expand_value_comes_from_prices_and_the_prior_and_never_from_the_propensity() -> None:
    """The upgrade's extra MRR is the difference of list prices; the upsell probability changes nothing."""
    decision = decide(frame(), catalogue(upgrade()))
    extra = (500 + 5 * 20) - (100 + 10 * 10)
    assert decision.winner.value.extra_mrr == extra
    assert decision.winner.value.amount == pytest.approx(0.5 * 12 * 0.1 * extra - 2)
    assert decision.winner.details == {"plan_from": "team", "plan_to": "business"}
    eager = decide(frame(upsell_probability={"30d": 0.9, "60d": 0.9, "90d": 0.9}), catalogue(upgrade()))
    assert eager.winner.value == decision.winner.value


@pytest.mark.parametrize(
    ("rule", "extra"),
    [
        ({"rule": "seats", "share": 0.2}, 4 * 10 * 0.75),
        ({"rule": "seats", "share": 0.01}, 1 * 10 * 0.75),
        ({"rule": "share_of_mrr", "share": 0.1}, 40.0),
        ({"rule": "fixed", "amount": 17.0}, 17.0),
        ({"rule": "next_plan"}, 400 * 0.75),
    ],
)
def test_extra_mrr_follows_its_rule_and_the_accounts_discount(rule: dict[str, Any], extra: float) -> None:
    """Seats and plans are sold at the account's own discount; shares and amounts are what they are."""
    one = upgrade(type="adjust_seats_within_policy", extra_mrr=rule)
    decision = decide(frame(features={"discount_ratio": 0.25}), catalogue(one))
    assert decision.winner.value.extra_mrr == pytest.approx(extra)


def test_the_most_valuable_action_wins_and_the_rest_follow_in_order() -> None:
    """Alternatives are ranked by expected value, with lift per unit cost beside it."""
    small, large = action("small"), action("large", priors={"retain": {"mean": 0.2, "sd": 0.01}})
    decision = decide(frame(), catalogue(small, large, upgrade(cost=0)))
    assert decision.winner.action.key == "upgrade"
    assert [one.action.key for one in decision.alternatives] == ["large", "small"]
    shown = decision.to_dict()
    assert shown["alternatives"][0]["value_per_cost"] == pytest.approx(0.5 * 12 * 400 * 0.2 * 0.4 / 2)
    assert shown["basis"] == "prior"


def test_a_decision_says_what_drove_it() -> None:
    """The conditions that held are shown with the account's values."""
    one = action(requires={"all": [{"feature": "adoption_ratio", "at_most": 0.4}]})
    reason = decide(frame(), catalogue(one)).to_dict()["reason"]
    assert reason["code"] == "value_unlock"
    assert reason["drivers"] == [
        {"feature": "adoption_ratio", "value": 0.2, "condition": "adoption_ratio at most 0.4"}
    ]


def test_nothing_comes_with_the_reason_of_the_stage_that_was_reached() -> None:
    """With every action refused, the reason is that of the furthest stage."""
    decision = decide(
        frame(features={"consent_email": False}),
        catalogue(action(), upgrade(requires={"plans": ["business"]})),
    )
    assert decision.to_dict()["action"] is None
    assert decision.to_dict()["expected_value"] is None
    assert decision.reason_code == "no_consent"
    assert "does not consent to email" in decision.reason_text


def test_a_decision_is_valid_until_evidence_goes_stale_quiet_hours_begin_or_a_day_is_over() -> None:
    """The earliest of the three ends it; one on bad evidence is valid for no time at all."""
    stale_first = frame(fresh_until=NOON_UTC + dt.timedelta(hours=1))
    assert decide(stale_first, catalogue(action())).valid_until == NOON_UTC + dt.timedelta(hours=1)
    quiet_first = decide(frame(), catalogue(action()))
    assert quiet_first.valid_until == NOON_UTC + dt.timedelta(hours=7)  # 20:00 in Berlin
    day_first = decide(frame(), catalogue(upgrade()))
    assert day_first.valid_until == NOON_UTC + dt.timedelta(hours=24)
    assert decide(frame(evidence_status="stale"), catalogue(action())).valid_until == NOON_UTC


def test_equal_content_has_equal_ids_and_any_change_another() -> None:
    """The id is a digest of frame, catalogue and model."""
    one = decide(frame(), catalogue(action())).decision_id
    assert decide(frame(), catalogue(action())).decision_id == one
    others = {
        decide(frame(churn=0.41), catalogue(action())).decision_id,
        decide(frame(features={"seats": 21}), catalogue(action())).decision_id,
        decide(frame(model="keepgrow:other"), catalogue(action())).decision_id,
        decide(frame(now=NOON_UTC + dt.timedelta(seconds=1)), catalogue(action())).decision_id,
        decide(frame(surface="email"), catalogue(action())).decision_id,
        decide(frame(), catalogue(action(cost=2.01))).decision_id,
    }
    assert len(others | {one}) == 7


@given(learnt_frames)
@settings(max_examples=150, deadline=None)
def test_bad_evidence_never_gives_an_action(one: DecisionFrame) -> None:
    """Whatever else is known, stale or thin evidence proposes nothing, and says that it is the evidence."""
    decision = decide(one, PACKAGED)
    if one.evidence_status != "full":
        assert decision.winner is None
        assert decision.reason_code == f"evidence_{one.evidence_status}"
        assert {refusal.stage for refusal in decision.refused} == {"identity_and_freshness"}


@given(learnt_frames)
@settings(max_examples=150, deadline=None)
def test_every_action_of_the_catalogue_is_accounted_for_once(one: DecisionFrame) -> None:
    """An action is the winner, an alternative or refused; never two of these, never none."""
    decision = decide(one, PACKAGED)
    named = [refusal.action for refusal in decision.refused]
    named += [proposal.action.key for proposal in decision.alternatives]
    named += [decision.winner.action.key] if decision.winner else []
    assert sorted(named) == sorted(action.key for action in PACKAGED.actions)


@given(learnt_frames)
@settings(max_examples=150, deadline=None)
def test_whatever_stands_keeps_the_policy(one: DecisionFrame) -> None:
    """No action that stands lacks consent, falls into an incident, or is not surely worth its cost."""
    decision = decide(one, PACKAGED)
    standing = [*([decision.winner] if decision.winner else []), *decision.alternatives]
    for proposal in standing:
        channel = proposal.action.channel
        assert channel == "internal" or one.features[f"consent_{channel}"]
        assert proposal.value.amount > 0
        assert proposal.value.low + proposal.action.cost + proposal.value.expected_discount > 0
        assert all(
            math.isfinite(number)
            for number in dataclasses.astuple(proposal.value)
            if isinstance(number, float)
        )
        assert one.plan in PACKAGED.plans_by_key
        assert one.flag("has_active_subscription") is not proposal.action.wins_back
        assert one.surface is None or one.surface in proposal.action.surfaces
        assert one.features["incident_active"] is False or proposal.action.requires.during_incident
    values = [proposal.value.amount for proposal in standing]
    assert values == sorted(values, reverse=True)


@given(learnt_frames, st.permutations(range(4)))
@settings(max_examples=150, deadline=None)
def test_the_order_of_the_catalogue_does_not_matter(one: DecisionFrame, order: list[int]) -> None:
    """Actions and plans in another order give the same decision, id and all."""
    actions = [
        action(), upgrade(), action("twin"),
        action("call", type="schedule_success_call", channel="phone", cost=40.0, requires={"during_incident": True}),
    ]  # fmt: skip
    straight = document(*actions)
    shuffled = {**document(*(actions[index] for index in order)), "plans": straight["plans"][::-1]}
    left = decide(one, Catalogue.model_validate(straight))
    right = decide(one, Catalogue.model_validate(shuffled))
    assert left.to_dict() == right.to_dict()
