"""Reliability: calibrated forecasts look calibrated, others don't, and the Brier parts add up."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.brier import brier_decomposition
from training.evaluation.reliability import (
    Bins,
    calibration_error,
    equal_count_bins,
    reliability_curve,
    score_bands,
    wilson,
)


def forecasts(rows=4000, stretch=1.0, seed=2):
    """Return accounts, labels drawn from true probabilities, and forecasts whose log-odds are stretched."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-2, 1, rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(float)
    account = np.array([f"a{number}" for number in range(rows)], dtype=object)
    return account, label, 1 / (1 + np.exp(-stretch * logit))


def test_bins_hold_equally_many_rows_and_never_cut_ties():
    """Ten bins of a hundred distinct values hold ten each; one value only makes one bin."""
    counts = np.bincount(equal_count_bins(np.linspace(0, 1, 100)).of_row)
    assert counts.tolist() == [10] * 10
    tied = np.concatenate([np.full(70, 0.1), np.linspace(0.2, 0.9, 30)])
    bins = equal_count_bins(tied)
    assert len(set(bins.of_row[:70].tolist())) == 1
    assert set(np.unique(bins.of_row)) == set(range(bins.count))
    assert equal_count_bins(np.full(9, 0.3)).count == 1


def test_wilson_is_the_score_interval():
    """Its ends are where the normal test of a share just fails to reject (Wilson's definition)."""
    z = NormalDist().inv_cdf(0.975)
    for events, count in ((3, 40), (20, 25), (0, 12)):
        for end in wilson(events, count):
            if 0 < end < 1:
                assert abs(events / count - end) == pytest.approx(
                    z * np.sqrt(end * (1 - end) / count), rel=1e-4
                )
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_calibrated_forecast_lies_within_its_intervals_and_its_error_reaches_down_to_nothing():
    """Nearly every bin's interval holds the forecast; the debiased error is smaller, its interval starts near 0."""
    account, label, probability = forecasts()
    bins = equal_count_bins(probability)
    curve = reliability_curve(account, label, probability, bins)
    held = [point["low"] <= point["predicted"] <= point["high"] for point in curve]
    assert sum(held) >= 8
    error = calibration_error(AccountBootstrap(account, samples=200, seed=1), label, probability, bins)
    assert error["expected_calibration_error"].value > 0.003
    debiased = error["expected_calibration_error_debiased"]
    assert debiased.value < error["expected_calibration_error"].value
    assert debiased.low < 0.003


def test_debiasing_takes_off_much_of_what_noise_adds():
    """Over 40 small calibrated samples the plain error is far from zero, the debiased one about half as far."""
    plain, debiased = [], []
    for seed in range(40):
        account, label, probability = forecasts(rows=400, seed=seed)
        error = calibration_error(
            AccountBootstrap(account, samples=60, seed=1), label, probability, equal_count_bins(probability)
        )
        plain.append(error["expected_calibration_error"].value)
        debiased.append(error["expected_calibration_error_debiased"].value)
    assert np.mean(plain) > 0.02
    assert 0 < np.mean(debiased) < 0.6 * np.mean(plain)


def test_an_overconfident_forecast_is_surely_miscalibrated():
    """Stretched log-odds give an error whose interval lies above zero."""
    account, label, probability = forecasts(stretch=2.0)
    found = calibration_error(
        AccountBootstrap(account, samples=200, seed=1), label, probability, equal_count_bins(probability)
    )
    assert found["expected_calibration_error_debiased"].low > 0.01


def test_brier_parts_add_up_to_the_score():
    """Reliability less resolution plus uncertainty plus what lies within bins is the Brier score itself."""
    account, label, probability = forecasts(rows=900, stretch=1.7)
    bins = equal_count_bins(probability)
    parts = brier_decomposition(AccountBootstrap(account, samples=50, seed=1), label, probability, bins)
    total = parts["reliability"].value - parts["resolution"].value + parts["uncertainty"].value
    score = float(np.mean((probability - label) ** 2))
    assert total + parts["within_bins"].value == pytest.approx(score, abs=1e-12)
    assert parts["uncertainty"].value == pytest.approx(label.mean() * (1 - label.mean()))
    assert parts["skill"].value == pytest.approx(1 - score / parts["uncertainty"].value)


def test_brier_parts_of_forecasts_that_bins_hold_whole_are_murphys():
    """With one probability a bin nothing is left within bins, and the parts are those of the textbook."""
    label = np.array([0.0, 0, 0, 1, 1, 1, 0, 1])
    probability = np.array([0.2, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0.8])
    account = np.array(list("abcdefgh"), dtype=object)
    bins = Bins((probability > 0.5).astype(np.intp), 2)
    parts = brier_decomposition(AccountBootstrap(account, samples=30, seed=1), label, probability, bins)
    assert parts["reliability"].value == pytest.approx((0.2 - 0.25) ** 2 / 2 + (0.8 - 0.75) ** 2 / 2)
    assert parts["resolution"].value == pytest.approx(0.25**2)
    assert parts["within_bins"].value == pytest.approx(0, abs=1e-12)


def test_score_bands_count_events_per_ten_points():
    """A score of 95 to 100 is in the last band, and each band says what came of it."""
    label = np.array([0.0, 1, 1, 1])
    bands = score_bands(np.array(list("abcd"), dtype=object), label, np.array([0.71, 0.74, 0.995, 0.9]))
    assert [(band["from"], band["to"], band["rows"]) for band in bands] == [(70, 79, 2), (90, 100, 2)]
    assert bands[0]["observed"] == 0.5
