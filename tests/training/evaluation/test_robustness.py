"""Robustness: what a model needs is missed when it is gone, and what it does not use is not."""

from __future__ import annotations

import json

import numpy as np

from tests.training.export.small_models import make_contract, make_matrix
from training.evaluation.robustness import RobustnessRows, noisy, robustness

CONTRACT = make_contract()
NAMES = [feature.name for feature in CONTRACT.model_features]
LOGINS = NAMES.index("logins_7d")


def predict(matrix):
    """Return a probability that rises with log-ins and knows nothing else."""
    return 1 / (1 + np.exp(-(np.nan_to_num(matrix[:, LOGINS], nan=4.0) - 4.0)))


def rows():
    """Rows whose events follow the prediction."""
    rng = np.random.default_rng(2)
    matrix = make_matrix(rng, 1000, missing=0.0)
    label = (rng.random(1000) < predict(matrix)).astype(float)
    accounts = np.array([f"a{number}" for number in range(1000)], dtype=object)
    return RobustnessRows(accounts, label, matrix, CONTRACT, predict)


def test_the_view_that_the_model_reads_is_the_one_that_is_missed():
    """Without usage the model ranks at random; without the other views nothing changes at all."""
    report = robustness(rows(), samples=60, seed=1)
    json.dumps(report, allow_nan=False)
    first, *others = report["missing_views"]
    assert first["view"] == "usage"
    assert first["roc_auc_drop"]["value"] == round(report["roc_auc"]["value"] - 0.5, 6)
    assert first["mean_abs_probability_change"] > 0.1
    assert {one["view"] for one in others} == {"commercial", "profile"}
    for one in others:
        assert one["roc_auc_drop"] == {"value": 0.0, "low": 0.0, "high": 0.0}
        assert one["mean_abs_probability_change"] == 0.0


def test_noise_moves_numbers_by_a_tenth_and_leaves_flags_and_categories():
    """Ratios move by 10 % on average, whole numbers stay whole, flags and categories stay as they are."""
    given = rows()
    changed = noisy(given, 0.1, seed=3)
    ratio = changed[:, NAMES.index("logins_28d_ratio")] / given.matrix[:, NAMES.index("logins_28d_ratio")]
    assert abs(ratio.std() - 0.1) < 0.01
    assert abs(ratio.mean() - 1) < 0.01
    seats = changed[:, NAMES.index("seats")]
    assert np.array_equal(seats, np.round(seats))
    for untouched in ("plan", "onboarded"):
        assert np.array_equal(changed[:, NAMES.index(untouched)], given.matrix[:, NAMES.index(untouched)])
    assert np.array_equal(changed, noisy(given, 0.1, seed=3))
    assert not np.array_equal(changed, noisy(given, 0.1, seed=4))


def test_noise_reaches_small_counts_and_keeps_their_mean():
    """Of counts of 0, 1 and 2 a good part changes, some zeros too, none falls below zero, and the mean stays."""
    given = rows()
    counts = np.random.default_rng(5).poisson(1.0, len(given.matrix)).astype(float)
    given.matrix[:, NAMES.index("seats")] = counts
    changed = np.mean([noisy(given, 0.1, seed=seed)[:, NAMES.index("seats")] for seed in range(40)], axis=0)
    once = noisy(given, 0.1, seed=3)[:, NAMES.index("seats")]
    assert 0.15 < (once != counts).mean() < 0.4
    assert (once[counts == 0] > 0).any()
    assert once.min() == 0
    assert abs(changed.mean() - counts.mean()) < 0.03
    ones = [noisy(given, 0.1, seed=seed)[counts == 1, NAMES.index("seats")] for seed in range(10)]
    assert np.std(ones) > 0.3


def test_what_is_missing_stays_missing_under_noise():
    """Noise fills no gap."""
    given = rows()
    given.matrix[:50, NAMES.index("seats")] = np.nan
    assert np.isnan(noisy(given, 0.1, seed=3)[:50, NAMES.index("seats")]).all()


def test_noise_costs_some_of_the_ranking():
    """The report has the drop with its interval, and how far probabilities moved."""
    noise = robustness(rows(), samples=60, seed=1)["noise"]
    assert noise["ratio"] == 0.1
    assert noise["numbers_changed"] > 0.9
    assert noise["counts_changed"] > 0.5
    assert noise["roc_auc_drop"]["low"] <= noise["roc_auc_drop"]["value"] <= noise["roc_auc_drop"]["high"]
    assert 0 < noise["mean_abs_probability_change"] < 0.2
