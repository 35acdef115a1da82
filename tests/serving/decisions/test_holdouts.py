"""Holdouts: shares, stability, independence, and that nobody in one is ever shown anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from serving.decisions.holdouts import Holdouts
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.errors import PolicyError
from tests.serving.decisions.frames import FIELDS, action, catalogue, decide, frame
from tests.serving.decisions.strategies import PACKAGED, frames

MILLION = 1_000_000
PLAN = Holdouts(salt="test", share=0.05, programmes={"retention": 0.1})


def packaged_with(**holdouts: object) -> Policy:
    """Return the packaged policy with other *holdouts*."""
    document = load_policy()
    return Policy(document.model_copy(update={"holdouts": Holdouts.model_validate(holdouts)}), FIELDS)


def test_a_million_assignments_have_the_shares_and_are_independent() -> None:
    """Shares within five standard errors; being in both is as frequent as chance has it."""
    held = [PLAN.of(f"account-{number}") for number in range(MILLION)]
    everywhere = np.array(["global" in one for one in held])
    programme = np.array(["retention" in one for one in held])
    for found, share in ((everywhere, 0.05), (programme, 0.1), (everywhere & programme, 0.005)):
        assert abs(found.mean() - share) < 5 * np.sqrt(share * (1 - share) / MILLION)


def test_a_programme_more_moves_nobody() -> None:
    """Who was held out of what stays so when another programme is added, and when a share grows."""
    more = Holdouts(salt="test", share=0.08, programmes={"retention": 0.1, "bundles": 0.2})
    for number in range(5_000):
        before, after = PLAN.of(f"account-{number}"), more.of(f"account-{number}")
        assert before <= after
        assert ("retention" in before) == ("retention" in after)


def test_another_salt_draws_anew() -> None:
    """Two companies, or two rounds, do not hold out the same accounts."""
    other = Holdouts(salt="other", share=0.5)
    same = Holdouts(salt="test", share=0.5)
    both = [(bool(other.of(f"a{n}")), bool(same.of(f"a{n}"))) for n in range(4_000)]
    assert 0.2 < sum(one and two for one, two in both) / 4_000 < 0.3


def test_one_in_a_programmes_holdout_gets_other_programmes_only() -> None:
    """The refusal names the programme; an action of another one is proposed."""
    actions = (action("a", playbook="retention", cost=0.0), action("b", playbook="value_unlock"))
    plan = packaged_with(programmes={"retention": 0.999999})
    decision = decide(frame(), catalogue(*actions), plan)
    assert decision.winner.action.key == "b"
    assert (decision.refused[0].stage, decision.refused[0].rule) == ("holdout", "programme_holdout")


@settings(max_examples=100, deadline=None)
@given(frames)
def test_nobody_who_is_held_out_is_shown_anything(one: object) -> None:
    """Whatever the frame, the answer is nothing."""
    decision = decide(one, PACKAGED, packaged_with(share=0.999999))
    assert decision.winner is None
    assert decision.alternatives == ()


@pytest.mark.parametrize(
    "content", [{"share": 1.0}, {"share": -0.1}, {"programmes": {"a": 1.5}}, {"programmes": {"global": 0.1}}]
)
def test_shares_that_can_not_be_are_refused(content: dict[str, object]) -> None:
    """A holdout of everybody would be no product at all."""
    with pytest.raises(ValidationError):
        Holdouts.model_validate(content)


def test_a_programme_that_the_catalogue_lacks_is_refused() -> None:
    """A typo would otherwise hold nobody out."""
    with pytest.raises(PolicyError, match="programme 'renewel'"):
        packaged_with(programmes={"renewel": 0.1}).require_actions(PACKAGED)
