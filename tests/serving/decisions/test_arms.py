"""Control arms: shares, stability, the chances that are logged against what comes, and what holds in every arm."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.decisions.arms import CONTROL_ARMS, NOTHING, Arms
from serving.decisions.candidates import standing
from serving.decisions.holdouts import Holdouts
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.decisions.policy.stages import RULE_STAGES, VALUE_STAGE
from tests.serving.decisions.frames import FIELDS, action, catalogue, decide, frame, learnt, upgrade
from tests.serving.decisions.strategies import PACKAGED, learnt_frames

if TYPE_CHECKING:
    from serving.decisions.arms import Arm
    from serving.decisions.frame import DecisionFrame

MILLION = 1_000_000
PACKAGED_POLICY = load_policy()
SHARES = Arms(random_eligible=0.02, propensity_only=0.01, no_levers=0.03)


def policy_of(arms: Arms | None = None, holdouts: Holdouts | None = None, **changes: Any) -> Policy:
    """Return the packaged policy with other *arms*, *holdouts* and *changes*."""
    update = {"arms": arms or Arms(), "holdouts": holdouts or Holdouts(salt="test"), **changes}
    return Policy(PACKAGED_POLICY.model_copy(update=update), FIELDS)


def account_in(arm: Arm, arms: Arms = SHARES) -> str:
    """Return an account of *arm*."""
    return next(name for number in range(10_000) if arms.of("test", name := f"account-{number}") == arm)


def test_a_million_assignments_have_the_shares_and_are_independent_of_holdouts() -> None:
    """Shares within five standard errors; being in an arm and held out is as frequent as chance has it."""
    holdouts = Holdouts(salt="test", share=0.05)
    names = [f"account-{number}" for number in range(MILLION)]
    arms = np.array([SHARES.of("test", name) for name in names])
    held = np.array([bool(holdouts.of(name)) for name in names])
    for arm, share in SHARES.shares().items():
        for found, chance in ((arms == arm, share), ((arms == arm) & held, share * 0.05)):
            assert abs(found.mean() - chance) < 5 * np.sqrt(chance * (1 - chance) / MILLION)


def test_a_share_that_grows_moves_nobody_but_those_who_join() -> None:
    """Every account that was in a control arm stays there; no other arm loses or wins one."""
    more = Arms(random_eligible=0.3, propensity_only=0.01, no_levers=0.03)
    for number in range(20_000):
        before, after = SHARES.of("test", f"account-{number}"), more.of("test", f"account-{number}")
        assert after == before or (before, after) == ("full", "random_eligible")


@pytest.mark.parametrize("content", [{"random_eligible": 0.4}, {"no_levers": -0.1}, {"other": 0.1}])
def test_shares_that_can_not_be_are_refused(content: dict[str, float]) -> None:
    """An arm is small, or it is none."""
    with pytest.raises(ValidationError):
        Arms.model_validate(content)


ACTIONS = catalogue(
    action("guide", playbook="value_unlock", priors={"retain": {"mean": 0.1, "sd": 0.02}}),
    action("call", type="annotate_account", playbook="recovery", channel="internal",
           priors={"retain": {"mean": 0.05, "sd": 0.01}}, levers={"season": 9.0}),
    upgrade(playbook="value_unlock", priors={"expand": {"mean": 0.01, "sd": 0.1}}),
)  # fmt: skip


def test_the_chances_that_are_logged_are_those_of_what_comes() -> None:
    """Over many alike accounts each action comes as often as their decisions say, in all arms together."""
    plan = policy_of(
        Arms(random_eligible=0.3, propensity_only=0.25, no_levers=0.2),
        Holdouts(salt="test", share=0.2, programmes={"value_unlock": 0.3}),
    )
    came: Counter[str] = Counter()
    chances: list[dict[str, float]] = []
    number = 6_000
    for index in range(number):
        draw = decide(frame(account_id=f"account-{index}"), ACTIONS, plan).draw
        assert draw is not None
        came[draw.came] += 1
        chances.append(dict(draw.chances))
    assert all(one == chances[0] for one in chances)
    assert set(chances[0]) == {"guide", "call", "upgrade", NOTHING}
    assert sum(chances[0].values()) == pytest.approx(1.0)
    for name, chance in chances[0].items():
        assert abs(came[name] / number - chance) < 5 * np.sqrt(chance * (1 - chance) / number), name


def test_each_arm_ranks_in_its_own_way() -> None:
    """Levers count under the full policy only; by propensity the upgrade wins, whose lift is not surely above zero."""
    plan = policy_of(SHARES)
    winners = {
        arm: decide(frame(account_id=account_in(arm), churn=0.2), ACTIONS, plan).winner
        for arm in ("full", "no_levers", "propensity_only")
    }
    keys = {arm: winner and winner.action.key for arm, winner in winners.items()}
    assert keys == {"full": "call", "no_levers": "guide", "propensity_only": "upgrade"}


def test_a_lot_holds_for_its_days_and_is_drawn_anew_after_them() -> None:
    """Asked again within the week, the account has the same action; over a year it has had everything."""
    plan = policy_of(Arms(random_eligible=0.3, draw_days=7))
    name = account_in("random_eligible", plan.arms)
    one = frame(account_id=name)
    came = [
        decide(
            dataclasses.replace(one, now=one.now + np.timedelta64(day, "D").item()), ACTIONS, plan
        ).draw.came  # type: ignore[union-attr]
        for day in range(364)
    ]
    turns = [index for index in range(1, 364) if came[index] != came[index - 1]]
    assert len({turn % 7 for turn in turns}) == 1
    assert set(came) == {"guide", "call", "upgrade", NOTHING}


def test_what_was_not_drawn_says_so() -> None:
    """In the random arm nothing is an alternative: what stood and was not drawn is refused by arbitration."""
    plan = policy_of(Arms(random_eligible=0.3))
    seen = set()
    for number in range(200):
        name = f"account-{number}"
        if plan.arms.of("test", name) != "random_eligible":
            continue
        decision = decide(frame(account_id=name), ACTIONS, plan)
        assert decision.alternatives == ()
        fallen = {refusal.action: (refusal.stage, refusal.rule) for refusal in decision.refused}
        won = decision.winner.action.key if decision.winner else NOTHING
        seen.add(won)
        for key in {"guide", "call"} - {won}:
            assert fallen[key] == ("arbitration", "not_drawn")
        if won != "upgrade":
            assert fallen["upgrade"] == (VALUE_STAGE, "lift_not_above_zero")
        if won == NOTHING:
            assert decision.reason_code == "not_drawn"
    assert seen == {"guide", "call", "upgrade", NOTHING}


def test_what_surely_does_harm_is_drawn_in_no_arm() -> None:
    """A sleeping dog has no chance, and so has an action from which nothing is hoped."""
    plan = policy_of(Arms(random_eligible=0.3, propensity_only=0.3))
    plans = catalogue(action("guide"), action("idle", priors={}))
    draw = decide(frame(**learnt("guide", retained=(-0.2, 0.01))), plans, plan).draw
    assert draw is not None
    assert draw.chances == {NOTHING: 1.0}


def test_an_account_without_any_draw_has_a_chance_of_one() -> None:
    """With neither holdouts nor arms nothing is left to chance."""
    draw = decide(frame(), ACTIONS, policy_of()).draw
    assert draw is not None
    assert draw.to_dict() == {
        "arm": "full",
        "held_out": [],
        "propensity": 1.0,
        "propensities": {"call": 1.0},
    }


ARMED = policy_of(SHARES)
LOTTERY = policy_of(Arms(random_eligible=0.3))
ACCOUNTS = {arm: account_in(arm) for arm in CONTROL_ARMS}


@given(learnt_frames, st.sampled_from(CONTROL_ARMS))
@settings(max_examples=150, deadline=None)
def test_every_rule_holds_in_every_arm(one: DecisionFrame, arm: Arm) -> None:
    """What a control arm proposes may lack a sure value, and nothing else."""
    one = dataclasses.replace(one, account_id=ACCOUNTS[arm])
    decision = decide(one, PACKAGED, ARMED)
    for proposal in (*filter(None, [decision.winner]), *decision.alternatives):
        fault = standing(one, PACKAGED, ARMED, proposal.action)
        assert fault is None or fault.stage == VALUE_STAGE
        assert next(ARMED.about(one, PACKAGED).about(proposal.action).faults(RULE_STAGES), None) is None
    assert decision.draw is not None
    assert decision.draw.chances[decision.draw.came] > 0
    assert sum(decision.draw.chances.values()) == pytest.approx(1.0)


@given(learnt_frames, st.permutations(range(len(PACKAGED.actions))))
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_catalogue_does_not_matter_to_a_draw(one: DecisionFrame, order: list[int]) -> None:
    """Lots are drawn by name."""
    one = dataclasses.replace(one, account_id=ACCOUNTS["random_eligible"])
    other = PACKAGED.model_copy(update={"actions": tuple(PACKAGED.actions[index] for index in order)})
    first, second = decide(one, PACKAGED, LOTTERY), decide(one, other, LOTTERY)
    assert first.draw == second.draw
    assert first.refused == second.refused
