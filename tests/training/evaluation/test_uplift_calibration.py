"""Calibration of uplift: the truth is calibrated, an exaggeration is not, and small data has few bins."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.uplift_world import draws
from training.evaluation.uplift_calibration import bins_for, uplift_calibration
from training.evaluation.uplift_curves import UpliftRows


@pytest.fixture(scope="module")
def world():
    """Draws of a call or nothing, and its true effect, which takes two values."""
    logged, _, true, _ = draws(12_000, proposed=False)
    rows, positions = UpliftRows.of(logged, 0, "retained")
    return rows, true[positions, 0]


def test_the_true_effect_is_calibrated_and_its_double_is_not(world):
    """Observed effects hold the truth in their intervals, and an exaggerated estimate has a large error."""
    rows, true = world
    found = uplift_calibration(rows, true, bins=5, samples=100, seed=1)
    bins = found.bins
    assert [one.estimated for one in bins] == pytest.approx([-0.15, 0.3])
    assert all(one.observed.low <= one.estimated <= one.observed.high for one in bins)
    assert found.error < 0.03
    assert not found.as_dict()["beyond_noise"]
    exaggerated = uplift_calibration(rows, 2 * true, bins=5, samples=20, seed=1)
    assert exaggerated.error > 0.15
    assert exaggerated.as_dict()["beyond_noise"]


def test_the_error_of_a_perfect_estimate_is_what_noise_is_said_to_make_of_it():
    """Over many small sets of draws, the mean error of the true effect is the one that is expected of noise."""
    errors, expected, beyond = [], [], []
    for seed in range(30):
        logged, _, true, _ = draws(800, seed=seed, proposed=False)
        rows, positions = UpliftRows.of(logged, 0, "retained")
        estimate = true[positions, 0] + 1e-6 * np.arange(len(positions))
        found = uplift_calibration(rows, estimate, bins=10, samples=60, seed=1)
        errors.append(found.error)
        expected.append(found.error_if_perfect.value)
        beyond.append(found.as_dict()["beyond_noise"])
    assert np.mean(errors) > 0.05
    assert np.mean(expected) == pytest.approx(np.mean(errors), rel=0.15)
    assert np.mean(beyond) < 0.15


def test_every_row_is_in_one_bin_and_bins_rise(world):
    """Bins are ordered, about equally large, and hold all rows."""
    rows, true = world
    estimate = true + 0.1 * np.random.default_rng(3).normal(size=len(true))
    bins = uplift_calibration(rows, estimate, samples=20, seed=1).bins
    assert len(bins) == bins_for(len(true)) == 10
    assert sum(one.rows for one in bins) == len(true)
    assert np.ptp([one.rows for one in bins]) <= 1
    assert np.all(np.diff([one.estimated for one in bins]) > 0)


@pytest.mark.parametrize(("rows", "bins"), [(249, 3), (250, 5), (499, 5), (500, 10), (20_000, 10)])
def test_few_rows_have_few_bins(rows, bins):
    """Deciles need five hundred rows."""
    assert bins_for(rows) == bins


def test_one_estimate_for_all_is_one_bin(world):
    """A head that can't tell accounts apart has one bin, with the average effect."""
    rows, true = world
    (only,) = uplift_calibration(rows, np.full(len(true), 0.08), samples=50, seed=1).bins
    assert only.observed.low < true.mean() < only.observed.high
