"""Coverage against known truths."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.coverage import coverage_by_group, coverage_of_truth, group_residuals
from training.evaluation.told_truth import truth_that_features_tell


def test_coverage_of_truth_counts_rows_inside():
    """Two of three true probabilities lie inside, ends included."""
    truth = np.array([0.1, 0.5, 0.9])
    assert coverage_of_truth(truth, np.array([0.1, 0.4, 0.1]), np.array([0.2, 0.6, 0.5])) == pytest.approx(
        2 / 3
    )


def test_right_probabilities_are_covered_once_sampling_is_allowed_for():
    """Narrow intervals around right probabilities miss groups' rates, but hold them with the binomial scatter."""
    rng = np.random.default_rng(2)
    probability = rng.uniform(0.05, 0.4, 20_000)
    outcome = (rng.random(20_000) < probability).astype(float)
    found = coverage_by_group(probability, probability, probability, outcome, z=1.645, groups=50)
    assert found.plain == 0.0
    assert 0.8 <= found.with_sampling <= 1.0


def test_wrong_probabilities_are_not_covered():
    """Probabilities twice too high are held by hardly any group."""
    rng = np.random.default_rng(3)
    probability = rng.uniform(0.2, 0.4, 20_000)
    outcome = (rng.random(20_000) < probability / 2).astype(float)
    found = coverage_by_group(probability, probability - 0.01, probability + 0.01, outcome, z=1.645)
    assert found.with_sampling < 0.1


def residuals(scale, reach, seed=4, rows=20_000):
    """Return residuals of probabilities *scale* times the truth with intervals that claim *reach* for any mean."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.05, 0.4, rows)
    outcome = (rng.random(rows) < truth).astype(float)
    accounts = np.array([f"a{row}" for row in range(rows)], dtype=object)
    return group_residuals(scale * truth, outcome, accounts, lambda _: np.array([reach]), z=1.645, groups=20)


def test_residuals_tell_right_intervals_from_narrow_and_wide_ones():
    """Right probabilities have a mean square near one, wrong and sure ones far more, timid ones far less."""
    right = residuals(1.0, 0.0)
    assert right.least <= right.mean_square <= right.most
    assert right.claimed_share == 0.0
    sure = residuals(1.2, 0.001)
    assert sure.mean_square > 2 * sure.most
    assert sure.within < 0.6
    timid = residuals(1.0, 0.5)
    assert timid.mean_square < timid.least
    assert timid.within == 1.0
    assert timid.claimed_share > 0.95
    assert (
        timid.least < right.least
    )  # one error that moves all groups is small by chance more often than twenty
    assert timid.most > right.most


def test_residuals_need_a_row_a_group():
    """Groups without rows have no rate."""
    with pytest.raises(ValueError, match="3 rows can't make 10 groups"):
        group_residuals(
            np.ones(3), np.ones(3), np.array(["a"] * 3, dtype=object), lambda _: np.zeros(1), z=1.0
        )


def test_the_truth_that_features_tell_leaves_out_what_they_do_not():
    """Told by features alone, the truth is its mean given them, whatever noise no feature says."""
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(3_000, 4))
    mean = 1 / (1 + np.exp(2 - matrix[:, 0]))
    truth = np.clip(mean + rng.normal(0, 0.05, 3_000), 0, 1)
    accounts = np.array([f"a{row % 900}" for row in range(3_000)], dtype=object)
    told = truth_that_features_tell(matrix, truth, accounts, seed=1)
    assert np.abs(told - mean).mean() < 0.02
    assert np.abs(told - mean).mean() < 0.6 * np.abs(truth - mean).mean()


def test_fewer_rows_than_groups_are_refused():
    """Groups without rows have no rate."""
    with pytest.raises(ValueError, match="3 rows can't make 10 groups"):
        coverage_by_group(*[np.ones(3)] * 4, z=1.0)
