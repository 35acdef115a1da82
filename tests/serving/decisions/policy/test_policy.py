"""A policy: what its file may say, and what never gets past it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decisions.policy.cases import PACKAGED_CASES, load_cases, run_cases
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PACKAGED_POLICY, PolicyDocument, load_policy, parse_policy
from serving.decisions.policy.stages import RULE_STAGES
from serving.errors import PolicyError
from tests.serving.decisions.frames import (
    FIELDS,
    POLICY,
    TEXTS,
    action,
    catalogue,
    decide,
    frame,
    upgrade,
)
from tests.serving.decisions.strategies import PACKAGED, frames

if TYPE_CHECKING:
    from pathlib import Path

    from serving.decisions.frame import DecisionFrame


def rule(**changes: Any) -> dict[str, Any]:
    """Return a rule that lets everything pass, with *changes*."""
    return {
        "id": "seats_few",
        "stage": "suitability",
        "require": "seats < 1000000.0",
        "reason_code": "too_many",
        "text": "{seats} seats are too many",
        **changes,
    }


def policy(*rules: dict[str, Any]) -> Policy:
    """Return a policy with *rules*."""
    return Policy(PolicyDocument.model_validate({"name": "test", "rules": list(rules)}), FIELDS)


def test_a_rule_stops_the_actions_that_it_covers_with_its_words() -> None:
    """Stage, reason, sentence with values, and the rule's id are told; other actions go on."""
    stop = policy(rule(require="seats < 10", covers={"channels": ["email"]}))
    decision = decide(frame(), catalogue(action(), upgrade()), stop)
    assert decision.winner.action.key == "upgrade"
    assert decision.refused[0].to_dict() == {
        "action": "guide",
        "stage": "suitability",
        "rule": "too_many",
        "text": "20 seats are too many",
        "policy_rule": "seats_few",
    }
    assert decision.policy == stop.hash


def test_a_refusal_points_to_the_best_safer_action_that_stands() -> None:
    """Nothing is offered instead that is itself refused."""
    stop = policy(rule(require="seats < 10", covers={"types": ["start_trial_or_upgrade"]},
                       safer_alternative={"channels": ["email"]}))  # fmt: skip
    decision = decide(frame(), catalogue(action("small", cost=20.0), action("large"), upgrade()), stop)
    assert [refusal.to_dict()["safer_alternative"] for refusal in decision.refused] == ["large"]
    none = decide(frame(), catalogue(action(cost=5_000.0), upgrade()), stop)
    assert [refusal.safer_alternative for refusal in none.refused] == [None, None]


def test_what_a_rule_needs_and_does_not_know_stops_the_action() -> None:
    """The sentence names the field, unless the rule brings its own words."""
    blind = frame(features={"seats": None})
    assert decide(blind, catalogue(action()), policy(rule())).refused[0].rule == "seats_few_unknown"
    worded = rule(missing={"reason_code": "no_seats", "text": "Seats are not known"})
    assert decide(blind, catalogue(action()), policy(worded)).refused[0].text == "Seats are not known"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rules: [", "not YAML"),
        ("name: x", "rules"),
        (yaml.safe_dump({"name": "x", "rules": [rule(), rule()]}), "ids are given twice: seats_few"),
        (yaml.safe_dump({"name": "x", "rules": [rule(stage="later")]}), "rules.0.stage"),
        (yaml.safe_dump({"name": "x", "rules": [rule(requires="true")]}), "rules.0.requires"),
        (yaml.safe_dump({"name": "x", "rules": [rule(covers={"types": ["hug"]})]}), "rules.0.covers.types.0"),
    ],
)
def test_a_file_of_another_form_is_refused_by_name(content: str, message: str) -> None:
    """The message has the file and the place in it."""
    with pytest.raises(PolicyError, match=r"mine\.yaml") as caught:
        parse_policy(content, "mine.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"require": "seatz > 1"}, "no such field: seatz"),
        ({"text": "{seatz}"}, "wrong: seatz"),
        ({"text": "{seats.real}"}, "may hold"),
        ({"text": "{seats:.3f}"}, "may hold"),
        ({"text": "{seats"}, "expected '}'"),
        ({"may_be_missing": ["plan"]}, "does not read"),
    ],
)
def test_every_fault_of_every_rule_is_named(changes: dict[str, Any], message: str) -> None:
    """Two wrong rules give two messages in one error."""
    with pytest.raises(PolicyError, match="rule 'one'") as caught:
        policy(rule(id="one", **changes), rule(id="two", **changes))
    assert "rule 'two'" in str(caught.value)
    assert message in str(caught.value)


def test_a_rule_about_an_action_that_the_catalogue_lacks_is_refused() -> None:
    """A typo in an action's key would otherwise switch the rule off."""
    with pytest.raises(PolicyError, match="rule 'seats_few' names action 'gide'"):
        policy(rule(covers={"actions": ["gide"]})).require_actions(catalogue(action()))


def test_the_hash_follows_the_rules_and_not_the_layout(tmp_path: Path) -> None:
    """Comments change nothing, a changed word does."""
    same = tmp_path / "policy.yaml"
    same.write_text("# a comment\n" + PACKAGED_POLICY.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_policy(same).hash == load_policy().hash
    same.write_text(PACKAGED_POLICY.read_text(encoding="utf-8").replace("'full'", "'thin'"), encoding="utf-8")
    assert load_policy(same).hash != load_policy().hash


def test_a_policy_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It is never taken for an empty one."""
    with pytest.raises(PolicyError, match="there is no such policy"):
        load_policy(tmp_path / "none.yaml")


def test_the_packaged_policy_passes_its_own_cases() -> None:
    """Every case comes out as it says; `test_commercial_rules` sees that no rule is without one."""
    outcomes = list(run_cases(load_cases(PACKAGED_CASES), POLICY, PACKAGED, FIELDS))
    assert len(outcomes) > 60
    assert [outcome for outcome in outcomes if not outcome.ok] == []


@settings(max_examples=200, deadline=None)
@given(frames)
def test_no_action_stands_that_breaks_a_rule_that_covers_it(one: DecisionFrame) -> None:
    """Whatever the frame, every rule that covers a standing action holds for it, looked at one by one."""
    decision = decide(one, PACKAGED)
    check = POLICY.about(one, PACKAGED)
    for proposal in (decision.winner, *decision.alternatives):
        if proposal is not None:
            assert [fault.policy_rule for fault in check.about(proposal.action).faults(RULE_STAGES)] == []


@settings(max_examples=100, deadline=None)
@given(frames, st.sampled_from(["seats < 50", "churn_risk > 0.5", "plan == 'team'"]))
def test_one_more_rule_never_yields_more_actions(one: DecisionFrame, require: str) -> None:
    """What stands under the stricter policy stands under the looser one."""
    loose = load_policy()
    extra = PolicyDocument.model_validate({"name": "x", "rules": [rule(require=require)]}).rules
    strict = Policy(loose.model_copy(update={"rules": (*loose.rules, *extra)}), FIELDS)
    keys = [
        {proposal.action.key for proposal in (found.winner, *found.alternatives) if proposal is not None}
        for found in (decide(one, PACKAGED, strict), decide(one, PACKAGED))
    ]
    assert keys[0] <= keys[1]


@settings(max_examples=100, deadline=None)
@given(
    frames, st.sampled_from(["has_active_subscription", "plan", "mrr", "consent_in_app", "incident_active"])
)
def test_a_value_that_is_missing_never_yields_an_action(one: DecisionFrame, name: str) -> None:
    """To know less is never a reason to do more."""
    assert name in FIELDS
    assert name in TEXTS or name in one.features
    with_it, without = decide(one, PACKAGED), decide(_without(one, name), PACKAGED)
    keys = [
        {proposal.action.key for proposal in (found.winner, *found.alternatives) if proposal is not None}
        for found in (without, with_it)
    ]
    assert keys[0] <= keys[1]


def _without(one: DecisionFrame, name: str) -> DecisionFrame:
    return dataclasses.replace(one, features={**one.features, name: None})
