"""Calibration figures against probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.miscalibration import calibration_figures

ROWS = 6000


def figures(said, true, seed=1):
    """Return the figures where *true* probabilities hold and *said* ones are judged."""
    label = (np.random.default_rng(seed).random(ROWS) < true).astype(float)
    accounts = np.array([f"a{number // 2}" for number in range(ROWS)], dtype=object)
    return calibration_figures(accounts, label, said, samples=80, seed=1)


@pytest.fixture(scope="module")
def truth():
    """True probabilities of accounts."""
    return np.random.default_rng(0).beta(2, 6, ROWS)


def test_true_probabilities_are_called_calibrated(truth):
    """Ratio and slope hold 1, and the error holds 0."""
    found = figures(truth, truth)
    assert found["observed_to_expected"].low < 1 < found["observed_to_expected"].high
    assert found["slope"].low < 1 < found["slope"].high
    assert found["expected_calibration_error"].low < 0.005


def test_probabilities_that_are_too_high_show_in_the_ratio(truth):
    """Said 1.5 times as often as it happens: observed over expected is two thirds."""
    found = figures(np.clip(truth * 1.5, 0, 0.99), truth)["observed_to_expected"]
    assert found.high < 0.75
    assert found.value == pytest.approx(1 / 1.5, abs=0.04)


def test_probabilities_that_are_too_extreme_show_in_the_slope(truth):
    """Log-odds that are twice too wide have slope one half."""
    odds = np.log(truth / (1 - truth))
    found = figures(1 / (1 + np.exp(-2 * odds)), truth)["slope"]
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert found.low <= found.value <= found.high


def test_without_events_there_is_no_slope():
    """Nothing happened: the slope is undefined and not a number that looks fine."""
    accounts = np.array(["a", "b", "c"], dtype=object)
    found = calibration_figures(accounts, np.zeros(3), np.array([0.1, 0.2, 0.3]), samples=20, seed=1)
    assert np.isnan(found["slope"].value)
