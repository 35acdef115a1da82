"""What never happens whatever the effects, the probabilities and the rest of the frame."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decisions.frame import Effect
from serving.decisions.lift import believed_lifts
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import Rule, load_policy
from serving.decisions.policy.stages import RULE_STAGES
from serving.wilson import Z_90
from tests.serving.decisions.frames import FIELDS, POLICY, action, catalogue, decide, upgrade
from tests.serving.decisions.strategies import PACKAGED, learnt_frames

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action
    from serving.decisions.decision import Decision, Proposal
    from serving.decisions.frame import DecisionFrame


def standing(decision: Decision) -> list[Proposal]:
    """Return the proposals of *decision*, best first."""
    return [*([decision.winner] if decision.winner else []), *decision.alternatives]


def keys(decision: Decision) -> set[str]:
    """Return the keys of the actions that stand."""
    return {proposal.action.key for proposal in standing(decision)}


def lies_below_zero(effect: Effect | None) -> bool:
    """Return whether an effect that draws moved surely does harm."""
    if effect is None or effect.basis == "prior" or effect.mean is None or effect.standard_error is None:
        return False
    return effect.mean + Z_90 * effect.standard_error < 0


@given(learnt_frames)
@settings(max_examples=150, deadline=None)
def test_an_action_that_does_harm_is_never_proposed(one: DecisionFrame) -> None:
    """An effect whose interval lies below zero stops its action, whatever the probabilities and the other effect."""
    for proposal in standing(decide(one, PACKAGED)):
        of: Action = proposal.action
        for outcome in ("returned",) if of.wins_back else ("retained", "expanded"):
            assert not lies_below_zero(one.effect(of.key, of.type, outcome))


@given(learnt_frames, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_no_propensity_makes_a_harmful_action_worth_it(
    one: DecisionFrame, churn: float, upsell: float
) -> None:
    """Harm stays harm at every probability of leaving and of expanding, and keeping away is harm to who has left."""
    harmful = {kind: {"retained": Effect(-0.2, 0.01, "uplift"), "expanded": Effect(0.5, 0.01, "uplift"),
                      "returned": Effect(-0.2, 0.01, "uplift")}
               for kind in {action.type for action in PACKAGED.actions}}  # fmt: skip
    harmed = dataclasses.replace(
        one,
        effects=harmful,
        churn_probability={"30d": churn, "60d": churn, "90d": churn},
        upsell_probability={"90d": upsell},
    )
    assert standing(decide(harmed, PACKAGED)) == []


@given(learnt_frames)
@settings(max_examples=150, deadline=None)
def test_what_draws_only_moved_is_worth_as_much_and_overrides_nothing(one: DecisionFrame) -> None:
    """Were every learnt effect a prior that draws moved, nothing more would stand, and no value would be learnt."""
    weaker = {
        name: {
            outcome: dataclasses.replace(effect, basis="blend") if effect.basis == "uplift" else effect
            for outcome, effect in of.items()
        }
        for name, of in one.effects.items()
    }
    # The size of an expansion that the bundle tells goes with effects that were learnt.
    one = dataclasses.replace(one, extra_mrr_ratio=None)
    learnt, moved = decide(one, PACKAGED), decide(dataclasses.replace(one, effects=weaker), PACKAGED)
    worth = {proposal.action.key: proposal.value.amount for proposal in standing(learnt)}
    for proposal in standing(moved):
        assert proposal.value.amount == worth[proposal.action.key]
        assert proposal.value.basis == "prior"
        for lift in believed_lifts(dataclasses.replace(one, effects=weaker), proposal.action) or ():
            assert lift.basis == "prior"


@given(learnt_frames)
@settings(max_examples=150, deadline=None)
def test_what_is_proposed_is_surely_worth_something(one: DecisionFrame) -> None:
    """Before cost and discount the interval of every proposal lies above zero; nothing unknown gets so far."""
    for proposal in standing(decide(one, PACKAGED)):
        value = proposal.value
        assert value.low + value.cost + value.expected_discount > 0
        assert value.low <= value.amount <= value.high
        assert value.lift_retain_90[0] <= value.lift_retain <= value.lift_retain_90[1]
        assert value.lift_retain <= max(one.churn_within_window, one.churn_risk) + 1e-12
        for outcome in ("returned",) if proposal.action.wins_back else ("retained", "expanded"):
            effect = one.effect(proposal.action.key, proposal.action.type, outcome)
            assert effect is None or effect.basis == "prior" or effect.mean is not None


@given(learnt_frames, st.integers(0, 3), st.floats(0.01, 1e5))
@settings(max_examples=150, deadline=None)
def test_a_greater_cost_never_raises_the_rank(one: DecisionFrame, which: int, more: float) -> None:
    """Whatever else is there, an action that costs more stands no higher, and never where it did not stand."""
    actions = [
        action(levers={"a": 2.0}), upgrade(), action("twin", cost=3.0),
        action("call", type="schedule_success_call", channel="phone", cost=40.0),
    ]  # fmt: skip
    key = actions[which]["key"]
    dearer = [{**one_, "cost": one_["cost"] + more * (one_["key"] == key)} for one_ in actions]

    def rank(candidates: list[dict[str, Any]]) -> float:
        keys = [proposal.action.key for proposal in standing(decide(one, catalogue(*candidates)))]
        return keys.index(key) if key in keys else math.inf

    assert rank(dearer) >= rank(actions)


@given(learnt_frames, st.permutations(range(4)))
@settings(max_examples=150, deadline=None)
def test_the_order_of_effects_and_candidates_does_not_matter(one: DecisionFrame, order: list[int]) -> None:
    """The same actions and the same effects in another order are the same decision, id and all."""
    actions = [action(), upgrade(), action("twin"), action("call", type="schedule_success_call", cost=40.0)]
    backwards = dataclasses.replace(
        one,
        effects={name: dict(reversed(of.items())) for name, of in reversed(one.effects.items())},
    )
    straight = decide(one, catalogue(*actions))
    shuffled = decide(backwards, catalogue(*(actions[index] for index in order)))
    assert straight.to_dict() == shuffled.to_dict()


@given(learnt_frames, st.sampled_from(["thin", "stale"]))
@settings(max_examples=150, deadline=None)
def test_no_effect_outweighs_bad_evidence(one: DecisionFrame, status: str) -> None:
    """Thin or stale evidence proposes nothing, however large and sure the effect."""
    sure = {
        action.type: {"retained": Effect(0.5, 0.0001, "uplift", "x", 9999)} for action in PACKAGED.actions
    }
    decision = decide(dataclasses.replace(one, effects=sure, evidence_status=status), PACKAGED)
    assert standing(decision) == []
    assert decision.reason_code == f"evidence_{status}"


@given(learnt_frames, st.sampled_from(["mean", "standard_error"]))
@settings(max_examples=150, deadline=None)
def test_an_effect_that_is_no_number_never_yields_an_action(one: DecisionFrame, part: str) -> None:
    """What stands with a number missing from every effect is a part of what stood with all of them."""
    blind = {
        name: {
            outcome: dataclasses.replace(effect, **{part: None}) if effect.basis != "prior" else effect
            for outcome, effect in of.items()
        }
        for name, of in one.effects.items()
    }
    fewer = {
        proposal.action.key
        for proposal in standing(decide(dataclasses.replace(one, effects=blind), PACKAGED))
    }
    assert fewer <= {proposal.action.key for proposal in standing(decide(one, PACKAGED))}


@given(learnt_frames)
@settings(max_examples=150, deadline=None)
def test_no_effect_lets_an_action_break_a_rule(one: DecisionFrame) -> None:
    """Every rule that covers a standing action holds for it, however large its lift."""
    check = POLICY.about(one, PACKAGED)
    for proposal in standing(decide(one, PACKAGED)):
        assert [fault.policy_rule for fault in check.about(proposal.action).faults(RULE_STAGES)] == []


@given(learnt_frames, st.sampled_from(["seats < 50", "churn_risk > 0.5", "plan == 'team'"]))
@settings(max_examples=60, deadline=None)
def test_a_stricter_policy_never_yields_more(one: DecisionFrame, require: str) -> None:
    """What stands under one more rule is a part of what stood without it."""
    loose = load_policy()
    extra = Rule(
        id="one_more", stage="eligibility", require=require, reason_code="one_more", text="One more rule"
    )
    strict = Policy(loose.model_copy(update={"rules": (*loose.rules, extra)}), FIELDS)
    assert keys(decide(one, PACKAGED, strict)) <= keys(decide(one, PACKAGED))
