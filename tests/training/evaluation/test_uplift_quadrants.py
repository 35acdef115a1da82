"""Quadrants: shares against simulated accounts whose both outcomes are known."""

from __future__ import annotations

import numpy as np

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
