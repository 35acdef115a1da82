"""Uplift curves: against sums by hand, and against the truth of simulated draws."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.uplift_world import draws
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.uplift_curves import (
    UpliftRows,
    auuc,
    qini_coefficient,
    qini_points,
    ranking_figures,
    uplift_at,
)

RNG = np.random.default_rng(2)


@pytest.fixture(scope="module")
def world():
    """Forty thousand draws of a call or nothing, the true effect of it, and its chance by account."""
    logged, _, true, _ = draws(40_000, proposed=False)
    rows, positions = UpliftRows.of(logged, 0, "retained")
    return rows, true[positions, 0]


def by_hand(rows, score, share):
    """Return mean outcome of treated less others among the best *share*, weighted by inverse propensity, in a loop."""
    best = np.argsort(-score, kind="stable")[: round(share * len(score))]
    sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
    for index in best:
        arm = bool(rows.treated[index])
        weight = 1 / (rows.chance[index] if arm else 1 - rows.chance[index])
        sums[arm][0] += weight * rows.outcome[index]
        sums[arm][1] += weight
    return sums[True][0] / sums[True][1] - sums[False][0] / sums[False][1]


def test_uplift_at_a_share_is_the_difference_of_weighted_means(world):
    """Uplift among the best share equals the same sums written as a loop."""
    rows, true = world
    score = true + 0.01 * RNG.normal(size=len(true))
    for share in (0.1, 0.3, 1.0):
        assert np.isclose(uplift_at(rows, score, share)[0], by_hand(rows, score, share), atol=1e-4)


def test_unequal_propensities_do_not_mislead(world):
    """The average effect is near the truth, while the plain difference of means, which ignores chances, is far off."""
    rows, true = world
    estimate = uplift_at(rows, np.zeros(len(true)), 1.0)[0]
    plain = rows.outcome[rows.treated].mean() - rows.outcome[~rows.treated].mean()
    assert abs(estimate - true.mean()) < 0.015
    assert abs(plain - true.mean()) > 0.05


def test_the_true_effect_ranks_as_well_as_theory_says(world):
    """With two kinds of accounts the areas follow from the two effects; a random score gains nothing."""
    rows, true = world
    helped = float((true > 0).mean())
    # Gain rises at 0.3 an account over those who are helped, then falls at 0.15.
    area = 0.5 * helped * 0.3 * helped + (1 - helped) * 0.5 * (0.3 * helped + true.mean())
    assert auuc(rows, true)[0] == pytest.approx(area, abs=0.01)
    assert qini_coefficient(rows, true)[0] == pytest.approx(area - true.mean() / 2, abs=0.01)
    assert abs(qini_coefficient(rows, RNG.normal(size=len(true)))[0]) < 0.01
    assert qini_coefficient(rows, -true)[0] == pytest.approx(-qini_coefficient(rows, true)[0], abs=0.01)


def test_the_order_of_equal_scores_does_not_matter(world):
    """Shuffled rows with few distinct scores give the same figures."""
    rows, true = world
    order = RNG.permutation(len(true))
    other = UpliftRows(rows.account_id[order], rows.treated[order], rows.chance[order], rows.outcome[order])
    for figure in (auuc, qini_coefficient):
        assert np.isclose(figure(rows, true)[0], figure(other, true[order])[0])
    assert qini_coefficient(rows, np.zeros(len(true)))[0] == pytest.approx(0.0)


def test_intervals_hold_the_figure_and_the_truth(world):
    """Every figure lies in its interval, and that of the average effect holds the truth."""
    rows, true = world
    small = slice(0, 4_000)
    part = UpliftRows(rows.account_id[small], rows.treated[small], rows.chance[small], rows.outcome[small])
    bootstrap = AccountBootstrap(part.account_id, samples=100, seed=1)
    found = ranking_figures(part, true[small], bootstrap)
    assert set(found) == {"average_effect", "auuc", "qini", "uplift_at_10%", "uplift_at_20%", "uplift_at_30%"}
    assert all(one.low <= one.value <= one.high for one in found.values())
    assert found["average_effect"].low < true.mean() < found["average_effect"].high


def test_a_resample_counts_rows_as_often_as_its_weight_says(world):
    """A weight of two is the same as the row standing there twice."""
    rows, true = world
    few = np.arange(400)
    twice = np.repeat(few, 1 + few % 2)
    doubled = UpliftRows(rows.account_id[twice], rows.treated[twice], rows.chance[twice], rows.outcome[twice])
    plain = UpliftRows(rows.account_id[few], rows.treated[few], rows.chance[few], rows.outcome[few])
    weight = (1.0 + few % 2)[None, :]
    assert np.isclose(auuc(plain, true[few], weight)[0], auuc(doubled, true[twice])[0])


def test_the_band_of_a_qini_curve_holds_it_and_narrows_to_nothing_at_no_action(world):
    """Nobody acted on is no gain for certain; elsewhere the band holds the curve and has a width."""
    rows, effect = world
    plain = qini_points(rows, effect)
    banded = qini_points(rows, effect, bootstrap=AccountBootstrap(rows.account_id, samples=60, seed=1))
    assert banded["y"] == plain["y"]
    assert "low" not in plain
    low, high, curve = (np.array(banded[key]) for key in ("low", "high", "y"))
    assert low[0] == high[0] == 0
    assert np.mean((low <= curve) & (curve <= high)) > 0.9
    assert (high - low)[5:].min() > 0
