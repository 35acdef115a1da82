"""Simulated trials: true figures of a ranking and a policy, planted effects, and intervals over trials."""

import numpy as np
import pytest

from benchmarks.hillstrom_planted import LEAST_STRENGTH, SHAPES, planted
from benchmarks.hillstrom_simulated import policy_gain, ranking
from benchmarks.hillstrom_simulated_page import FIGURES, TRUTH, Judged, difference, markdown
from benchmarks.hillstrom_trial import SHIPPED


def trial(customers, seed):
    """Return features, arms, visits and the true effects: women's goods double what the second action adds."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(customers, 6))
    matrix[:, 2:5] = rng.integers(0, 2, (customers, 3))
    effects = np.column_stack([np.full(customers, 0.1), 0.05 + 0.15 * matrix[:, 3]])
    arm = rng.integers(0, 3, customers)
    chance = 0.2 + np.where(arm == 1, effects[:, 0], np.where(arm == 2, effects[:, 1], 0.0))
    return matrix, arm.astype(np.intp), (rng.random(customers) < chance).astype(float), effects


def test_the_true_order_has_the_largest_ranking_area_and_a_random_one_none():
    """By the truth the area is that between curve and line; the reverse order has its negative."""
    truth = np.linspace(0.0, 1.0, 1_001)[:, None]
    assert ranking(truth, truth) == pytest.approx(1 / 12, abs=1e-3)
    assert ranking(truth, -truth) == pytest.approx(-1 / 12, abs=1e-3)
    rng = np.random.default_rng(1)
    assert abs(np.mean([ranking(truth, rng.normal(size=truth.shape)) for _ in range(50)])) < 0.01


def test_a_policy_gains_by_telling_customers_apart_and_loses_by_error():
    """Half the customers are better off with either action; knowing it gains half of the difference."""
    truth = np.array([[0.2, 0.1], [0.1, 0.2]] * 50)
    assert policy_gain(truth, truth) == pytest.approx(0.05)
    assert policy_gain(truth, np.tile([0.2, 0.1], (100, 1))) == pytest.approx(0.0)
    assert policy_gain(truth, truth[:, ::-1]) == pytest.approx(-0.05)
    assert policy_gain(truth, np.full((100, 2), -1.0)) == pytest.approx(-0.15)


@pytest.mark.parametrize("shape", SHAPES)
def test_planted_effects_follow_the_trial_they_were_fitted_to(shape):
    """Averages are those of the trial, the group that answers more does so, and chances stay chances."""
    matrix, arm, visit, effects = trial(12_000, 2)
    world = planted(matrix, arm, visit, matrix, shape)
    assert world.effects.mean(axis=0) == pytest.approx(effects.mean(axis=0), abs=0.03)
    answers = matrix[:, 3] == 1
    assert world.effects[answers, 1].mean() - world.effects[~answers, 1].mean() > 0.05
    assert np.all((world.strength >= LEAST_STRENGTH) & (world.strength <= 1.0))
    everyone = np.arange(len(matrix))
    chance = world.chance(everyone, arm)
    assert np.all((chance >= 0) & (chance <= 1))
    assert np.allclose(world.chance(everyone, np.zeros_like(arm)), world.baseline)


def test_intervals_over_trials_hold_the_difference_as_often_as_they_say():
    """Of 400 sets of trials with shapes far apart, some 95 in 100 intervals hold the true difference."""
    rng = np.random.default_rng(3)
    shapes = np.array([[0.0], [5.0], [-3.0]])
    held = 0
    for _ in range(400):
        common = shapes + rng.normal(size=(3, 6))
        _, low, high = difference(common + 0.4 + rng.normal(0, 0.5, (3, 6)), common)
        held += low <= 0.4 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_the_page_names_the_best_yardstick_of_each_figure_and_who_is_surely_ahead():
    """Where less is better the best yardstick is the smallest, and a smaller figure of ours is the better one."""
    told = {SHIPPED: (3.0, 0.1, 1.0), "causalml X": (2.0, 0.1, 2.0), "econml Y": (1.0, 0.0, 3.0)}
    told[TRUTH] = (5.0, 0.5, 0.0)
    rng = np.random.default_rng(4)
    judged = [
        Judged(
            shape,
            number,
            name,
            {key: one + 0.01 * rng.normal() for key, one in zip(FIGURES, of, strict=True)},
        )
        for shape in ("a", "b")
        for number in range(4)
        for name, of in told.items()
    ]
    page = markdown(judged, ("causalml 1",), "2026-01-01")
    assert "**ranking area**: the best yardstick is causalml X; ours minus it +1." in page
    assert page.count("ours is surely better") == 2
    assert "the interval holds zero" in page
    assert page.index(f"| {TRUTH} |") < page.index(f"| **{SHIPPED}** |") < page.index("| causalml X |")
