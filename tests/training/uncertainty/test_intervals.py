"""Intervals of probabilities: their shape, and whether they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.heads.planted import DEFINITIONS, NAMES, hazards
from training.evaluation.coverage import coverage_of_truth, mean_errors
from training.uncertainty.fit import fit_uncertainty
from training.uncertainty.leaves import account_counts, reached_leaves, refitted_leaves


def test_an_interval_contains_its_probability_and_never_falls_along_horizons(uncertainty, parts):
    """Low <= probability <= high, within 0 and 1, both ends monotone, also on rows far out and on missing values."""
    rng = np.random.default_rng(1)
    strange = np.where(rng.random(parts.test.matrix.shape) < 0.3, np.nan, parts.test.matrix * 1e6)
    for matrix in (parts.test.matrix, strange):
        low, high = uncertainty.interval(matrix)
        probability = uncertainty.head.probabilities(matrix)
        assert (low >= 0).all()
        assert (high <= 1).all()
        assert (low <= probability + 1e-12).all()
        assert (probability <= high + 1e-12).all()
        assert (np.diff(low, axis=1) >= 0).all()
        assert (np.diff(high, axis=1) >= 0).all()
        assert (high > low).all()


def test_intervals_hold_the_true_probability_about_as_often_as_they_say(uncertainty, parts):
    """Where the features tell all there is to know, 90 % intervals hold at least 80 % of true probabilities."""
    truth = 1 - np.cumprod(1 - hazards(parts.test.matrix, "churn", strength=2.0, base=-3.0), axis=1)
    low, high = uncertainty.interval(parts.test.matrix)
    for column in range(truth.shape[1]):
        assert coverage_of_truth(truth[:, column], low[:, column], high[:, column]) >= 0.8
    assert float((high - low).mean()) < 0.5 * float(truth[:, -1].std() * 4)


def test_leaves_refitted_to_the_same_accounts_are_the_boosters_own(uncertainty, parts, trained):
    """With every account counted once, trees that sample neither rows nor columns get their own leaf values back."""
    head, plans = trained.head, uncertainty.plans
    counts = np.ones((len(parts.refit.matrix), 1))
    values = refitted_leaves(head, plans, parts.refit.head_rows("churn"), counts)
    stages = trained.choice["shared_rounds"]
    assert stages["main_effects"] > 0
    trees = stages["main_effects"]
    reached = reached_leaves(head.boosters[0], plans[0], parts.test.matrix)
    margin = sum(values[0][reached[:, tree], 0] for tree in range(trees))
    expected = head.boosters[0].predict(parts.test.matrix, raw_score=True, num_iteration=trees)
    assert np.abs(margin - expected).max() < 0.02


def test_the_same_seed_gives_the_same_intervals(uncertainty, parts, trained):
    """Fitting twice with one seed gives equal numbers."""
    again = fit_uncertainty(trained, parts, definitions=DEFINITIONS, feature_names=NAMES, seed=3)
    rows = parts.test.matrix[:50]
    assert np.array_equal(again.interval(rows)[0], uncertainty.interval(rows)[0])


def test_a_resample_keeps_all_rows_of_an_account_together():
    """Rows of one account have one count, and each resample has as many accounts as there are."""
    accounts = np.array(["a", "b", "a", "c"], dtype=object)
    counts = account_counts(accounts, 7, seed=0)
    assert (counts[0] == counts[2]).all()
    assert (counts[[0, 1, 3]].sum(axis=0) == 3).all()


def test_the_error_of_a_mean_is_under_the_mean_of_the_errors(parts, uncertainty):
    """In a group errors of single rows average out; of one row the claimed error is about that of its interval."""
    matrix = parts.test.matrix[:200]
    of_mean = mean_errors(uncertainty, matrix)
    low, high = uncertainty.interval(matrix)
    single = (high - low) / 2 / uncertainty.z
    for horizon in range(3):
        alone = np.array([np.linalg.norm(of_mean(np.array([row]), horizon)) for row in range(len(matrix))])
        assert np.median(alone / single[:, horizon]) == pytest.approx(1.0, abs=0.25)
        together = np.linalg.norm(of_mean(np.arange(len(matrix)), horizon))
        assert together < alone.mean()
        assert together > 0
