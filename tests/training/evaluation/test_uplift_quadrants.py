"""Quadrants: shares against simulated accounts whose both outcomes are known."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.uplift_quadrants import QUADRANTS, assign, quadrant_chances, quadrant_shares


def test_expected_shares_equal_those_of_accounts_seen_twice():
    """Where no action both helps and harms accounts alike, the shares are those of simulated pairs of outcomes."""
    rng = np.random.default_rng(4)
    n = 60_000
    baseline, effect = rng.uniform(0.2, 0.7, n), rng.choice([-0.15, 0.0, 0.25], n)
    luck = rng.random(n)
    without, taken = luck < baseline, luck < baseline + effect
    seen = {
        "persuadable": (taken & ~without).mean(),
        "sure_thing": (taken & without).mean(),
        "lost_cause": (~taken & ~without).mean(),
        "sleeping_dog": (~taken & without).mean(),
    }
    found = quadrant_shares(
        baseline, effect, AccountBootstrap(np.arange(n).astype(object), samples=20, seed=1)
    )
    assert tuple(found) == QUADRANTS
    for name, share in seen.items():
        assert abs(found[name].value - share) < 0.006, name


def test_an_estimate_that_is_unsure_has_wide_shares():
    """With an error as large as the effect, the interval of persuadables reaches from nearly none to twice as many."""
    n = 2_000
    baseline, effect = np.full(n, 0.5), np.full(n, 0.02)
    bootstrap = AccountBootstrap(np.arange(n).astype(object), samples=200, seed=1)
    sure = quadrant_shares(baseline, effect, bootstrap)["persuadable"]
    found = quadrant_shares(baseline, effect, bootstrap, error=np.full(n, 0.01))
    unsure = found["persuadable"]
    assert sure.high - sure.low < 1e-9
    assert unsure.value == sure.value
    assert (unsure.low, unsure.high) == pytest.approx((0.0, 0.04), abs=0.006)
    assert found["sleeping_dog"].high < 0.01


def test_chances_are_chances_even_for_impossible_effects():
    """Rows sum to one and lie within 0 and 1 when baseline and effect together would not."""
    chances = quadrant_chances(np.array([0.9, 0.1, 0.5]), np.array([0.4, -0.4, 0.0]))
    assert np.allclose(chances.sum(axis=1), 1.0)
    assert chances.min() >= 0
    assert np.allclose(chances[0], [0.1, 0.9, 0.0, 0.0])
    assert np.allclose(chances[1], [0.0, 0.0, 0.9, 0.1])


def test_only_sure_effects_make_persuadables_and_sleeping_dogs():
    """An effect within its error leaves an account a sure thing or a lost cause."""
    found = assign(
        np.array([0.3, 0.3, 0.9, 0.1]), np.array([0.1, -0.1, 0.1, 0.1]), np.array([0.02, 0.02, 0.1, 0.1])
    )
    assert found.tolist() == ["persuadable", "sleeping_dog", "sure_thing", "lost_cause"]
