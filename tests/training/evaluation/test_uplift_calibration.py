"""Calibration of uplift: the truth is calibrated, an exaggeration is not, and small data has few bins."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.uplift_world import draws
from training.evaluation.uplift_calibration import bins_for, calibration_bins, calibration_error
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
    bins = calibration_bins(rows, true, bins=5, samples=100, seed=1)
    assert [one.estimated for one in bins] == pytest.approx([-0.15, 0.3])
    assert all(one.observed.low <= one.estimated <= one.observed.high for one in bins)
    assert calibration_error(bins) < 0.03
    assert calibration_error(calibration_bins(rows, 2 * true, bins=5, samples=20, seed=1)) > 0.15


def test_every_row_is_in_one_bin_and_bins_rise(world):
    """Bins are ordered, about equally large, and hold all rows."""
    rows, true = world
    estimate = true + 0.1 * np.random.default_rng(3).normal(size=len(true))
    bins = calibration_bins(rows, estimate, samples=20, seed=1)
    assert len(bins) == bins_for(len(true)) == 5
    assert sum(one.rows for one in bins) == len(true)
    assert np.ptp([one.rows for one in bins]) <= 1
    assert np.all(np.diff([one.estimated for one in bins]) > 0)


@pytest.mark.parametrize(("rows", "bins"), [(500, 3), (4_999, 3), (5_000, 5), (20_000, 10)])
def test_few_rows_have_few_bins(rows, bins):
    """Ten bins need twenty thousand rows."""
    assert bins_for(rows) == bins


def test_one_estimate_for_all_is_one_bin(world):
    """A head that can't tell accounts apart has one bin, with the average effect."""
    rows, true = world
    (only,) = calibration_bins(rows, np.full(len(true), 0.08), samples=50, seed=1)
    assert only.observed.low < true.mean() < only.observed.high
