"""Coverage against known truths."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.coverage import coverage_by_group, coverage_of_truth


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


def test_fewer_rows_than_groups_are_refused():
    """Groups without rows have no rate."""
    with pytest.raises(ValueError, match="3 rows can't make 10 groups"):
        coverage_by_group(*[np.ones(3)] * 4, z=1.0)
