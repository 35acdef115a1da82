"""Simulations: what would come of an action is what the effects say, with intervals that are neither less nor more."""

from __future__ import annotations

import math
import random
from statistics import quantiles
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.actions.checks import stopping, verdicts
from serving.actions.fairness import exposure
from serving.actions.projection import outlay, projection
from serving.actions.simulate import (
    Rules,
    UnknownAction,
    simulate_accounts,
    simulate_action,
    simulate_policy,
)
from serving.actions.types import DraftError, draft
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PACKAGED_POLICY, PolicyDocument
from serving.decisions.policy.stages import VALUE_STAGE
from serving.wilson import Z_90, wilson
from tests.serving.actions.worlds import CATALOGUE, RULES, account, drafted, situation
from tests.serving.decisions.frames import FIELDS
from tests.serving.decisions.strategies import frames


def projected(*keys: str, **changes: Any) -> dict[str, Any]:
    """Return the projection of actions on the account, one after another."""
    outlays = [outlay(*drafted(key, **changes)) for key in keys]
    return projection(outlays, CATALOGUE.margin, CATALOGUE.currency)


def test_a_projection_is_the_effects_times_what_is_at_stake() -> None:
    """Expected MRR is lift times MRR; a year's margin is net of cost; risk falls by the lift on staying."""
    shown = projected("success_call", churn=0.4)
    prior = CATALOGUE.actions_by_key["success_call"].priors.retain
    lift, spread = prior.mean * 0.4, Z_90 * prior.sd * 0.4
    assert shown["incremental_mrr"]["mean"] == pytest.approx(lift * 400)
    assert shown["incremental_mrr"]["interval_90"] == pytest.approx(
        [(lift - spread) * 400, (lift + spread) * 400], abs=0.01
    )
    assert shown["incremental_nrr_ratio"]["mean"] == pytest.approx(lift)
    assert shown["margin_year"]["mean"] == pytest.approx(0.8 * 12 * lift * 400 - 60)
    assert shown["churn_risk"]["without"] == 0.4
    assert shown["churn_risk"]["with"]["mean"] == pytest.approx(0.4 - lift)
    assert shown["churn_risk"]["with"]["interval_90"] == pytest.approx(
        [0.4 - lift - spread, 0.4 - lift + spread], abs=1e-6
    )
    assert (shown["csm_minutes"], shown["budget"]["cost"]) == (45, 60)
    assert shown["basis"] == "prior"


def test_a_discount_and_the_risk_of_a_complaint_are_shown() -> None:
    """What an offer gives away lowers the year's margin in full; the declared complaint risk has its interval."""
    shown = projected("renewal_offer", churn=0.6)
    gain = shown["incremental_mrr"]["mean"]
    assert shown["budget"]["discounts_year"] == pytest.approx(310.8)
    assert shown["margin_year"]["mean"] == pytest.approx(0.8 * (12 * gain - 310.8) - 5, abs=0.1)
    assert shown["complaint_risk"]["mean"] == 0.002
    assert shown["complaint_risk"]["interval_90"] == pytest.approx(
        [0.002 - Z_90 * 0.001, 0.002 + Z_90 * 0.001], abs=1e-6
    )


def test_the_interval_of_many_is_that_of_a_draw_of_the_shared_effect() -> None:
    """Against a simulation that draws each belief once for all accounts: the analytic ends are its quantiles."""
    keys = ["add_seats"] * 30 + ["success_call"] * 20
    outlays = [outlay(*drafted(key)) for key in keys]
    shown = projection(outlays, CATALOGUE.margin, CATALOGUE.currency)["incremental_mrr"]
    chance = random.Random(5)
    # Thirty accounts of one kind and twenty of another, each alike: the sum is two terms, weighted.
    weighted = [
        30 * outlays[0].expand.mean * outlays[0].extra + 20 * outlays[-1].retain.mean * outlays[-1].mrr
        + 30 * chance.gauss(0, 1) * (outlays[0].expand.high - outlays[0].expand.mean) / Z_90 * outlays[0].extra
        + 20 * chance.gauss(0, 1) * (outlays[-1].retain.high - outlays[-1].retain.mean) / Z_90 * outlays[-1].mrr
        for _ in range(40_000)
    ]  # fmt: skip
    ends = quantiles(weighted, n=20)
    width = shown["interval_90"][1] - shown["interval_90"][0]
    assert shown["interval_90"] == pytest.approx([ends[0], ends[-1]], abs=0.03 * width)


def test_an_action_that_is_not_worth_it_is_advised_against_and_not_stopped() -> None:
    """A person may open an experiment that no lift is believed of; what surely does harm is stopped."""
    action, one = drafted("guide_experiment")
    checks = verdicts(action, one, RULES.policy)
    advice = [check for check in checks if check.stage == VALUE_STAGE]
    assert [(check.passed, check.blocks) for check in advice] == [(False, False)]
    assert stopping(checks) == []
    harm = {**CATALOGUE.model_dump(), "actions": [
        {**entry.model_dump(), "priors": {"retain": {"mean": -0.2, "sd": 0.01}}}
        for entry in CATALOGUE.actions if entry.key == "renewal_review"
    ]}  # fmt: skip
    rules = Rules(type(CATALOGUE).model_validate(harm), RULES.policy)
    hurting = rules.situation(account(), "renewal_review")
    stopped = stopping(verdicts(draft(hurting), hurting, rules.policy))
    assert [check.rule for check in stopped] == ["sleeping_dog"]


@settings(max_examples=80, deadline=None)
@given(frames, st.sampled_from([action.key for action in CATALOGUE.actions]))
def test_nothing_is_allowed_that_a_decision_refuses_by_a_rule(one: Any, key: str) -> None:
    """Whatever the account, an action that may be applied by hand passes all that `decide` asks but its value."""
    try:
        simulation = simulate_action(draft(RULES.situation(one, key)), one, RULES)
    except DraftError:  # what can't be written out can't be applied
        return
    refused = {refusal.action: refusal for refusal in decide(one, CATALOGUE, RULES.policy).refused}
    if simulation["allowed"] and key in refused:
        assert refused[key].stage == VALUE_STAGE
    assert simulation["allowed"] == all(check["passed"] for check in simulation["checks"] if check["blocks"])
    assert all(math.isfinite(end) for end in simulation["projection"]["margin_year"]["interval_90"])


def test_every_rule_that_covers_the_action_is_among_the_checks() -> None:
    """A reader sees what was looked at, passed or not."""
    action, one = drafted("add_seats", features={"invoices_overdue": 1, "consent_in_app": False})
    checks = {check.rule: check.passed for check in verdicts(action, one, RULES.policy)}
    assert {compiled.rule.id for compiled in RULES.policy.covering(one.action)} <= set(checks)
    failed = {rule for rule, passed in checks.items() if not passed}
    assert {"nothing_to_buy_while_payment_is_due", "consent"} <= failed


def test_a_list_says_who_gets_it_and_why_not() -> None:
    """Each account has its verdict; only those that get it count in the projection."""
    several = [
        account(account_id=f"a-{number}", features={"seat_utilisation_ratio": 0.5 + number / 20})
        for number in range(10)
    ]
    simulation = simulate_accounts("add_seats", several, RULES)
    gets = [one["account_id"] for one in simulation["accounts"] if one["allowed"]]
    assert 0 < len(gets) < 10
    assert simulation["projection"]["accounts"] == len(gets)
    assert all(one["stopped_by"] for one in simulation["accounts"] if not one["allowed"])
    with pytest.raises(UnknownAction):
        simulate_accounts("nothing", several, RULES)


def test_an_action_of_another_type_than_the_catalogues_is_refused() -> None:
    """The type in the action and that of the catalogue's entry are one."""
    action, _ = drafted("add_seats")
    with pytest.raises(UnknownAction, match="of type send_enablement_guide"):
        simulate_action(action.model_copy(update={"action_key": "in_app_guide"}), account(), RULES)


def test_a_policy_change_names_whose_action_changes() -> None:
    """A candidate that forbids upgrades changes the accounts that would have got one, and no others."""
    content = yaml.safe_load(PACKAGED_POLICY.read_text())
    content["rules"].append(
        {"id": "no_upgrades", "stage": "suitability", "covers": {"types": ["start_trial_or_upgrade"]},
         "require": "false", "reason_code": "stopped", "text": "No upgrades"}
    )  # fmt: skip
    candidate = Rules(CATALOGUE, Policy(PolicyDocument.model_validate(content), FIELDS))
    several = [
        account(account_id=f"a-{number}", features={"api_limit_utilisation_ratio": 0.5 + number / 20})
        for number in range(10)
    ]
    simulation = simulate_policy(several, RULES, candidate)
    winners = {one.account_id: decide(one, CATALOGUE, RULES.policy).winner for one in several}
    expected = {
        name for name, winner in winners.items() if winner and winner.action.key == "upgrade_to_next_plan"
    }
    assert {change["account_id"] for change in simulation["changes"]} == expected != set()
    assert simulation["current"]["policy"] != simulation["candidate"]["policy"]


def test_shares_by_group_come_with_intervals_and_are_unequal_only_if_surely_so() -> None:
    """Nine of ten against one of ten is sure with hundreds and not with a handful."""
    few = [
        account(account_id=str(number), features={"segment": "smb" if number % 2 else "enterprise"})
        for number in range(6)
    ]
    shares = exposure(few, [bool(number % 2) for number in range(6)])["segment"]
    assert shares["parity_ratio"] == 0
    assert not shares["surely_unequal"] or wilson(0, 3, Z_90)[1] < 0.8 * wilson(3, 3, Z_90)[0]
    many = few * 100
    assert exposure(many, [bool(number % 2) for number in range(600)])["segment"]["surely_unequal"]
    assert not exposure(many, [True] * 600)["segment"]["surely_unequal"]


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"), [(0, 10, 0.0, 0.2130), (5, 10, 0.2693, 0.7307), (10, 10, 0.7870, 1.0)]
)
def test_wilsons_interval(hits: int, count: int, low: float, high: float) -> None:
    """Against values computed by hand from the formula with z = 1.6449."""
    assert wilson(hits, count, Z_90) == pytest.approx((low, high), abs=1e-3)


def test_the_account_of_the_tests_may_get_seats() -> None:
    """Without it, the tests above would prove nothing."""
    assert simulate_action(draft(situation("add_seats")), account(), RULES)["allowed"]
