"""The bootstrap resamples accounts, and its intervals hold the truth about as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import bootstrap as module
from training.evaluation.bootstrap import AccountBootstrap, Estimate, simultaneous_reach


def mean_of(values):
    """Return a figure: the weighted mean of *values*."""
    return lambda weight: (weight @ values) / weight.sum(axis=1)


def test_rows_of_one_account_come_and_go_together():
    """With one value an account, repeated rows don't narrow the interval: it is that of the accounts."""
    rng = np.random.default_rng(2)
    value = rng.normal(size=50)
    accounts = np.array([f"a{number}" for number in range(50)], dtype=object)
    single = AccountBootstrap(accounts, samples=400, seed=1).estimate(mean_of(value))
    many = AccountBootstrap(np.repeat(accounts, 20), samples=400, seed=1).estimate(
        mean_of(np.repeat(value, 20))
    )
    assert many.high - many.low == pytest.approx(single.high - single.low, rel=1e-9)
    expected = 2 * 1.96 * value.std() / np.sqrt(50)
    assert single.high - single.low == pytest.approx(expected, rel=0.2)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Of 120 clustered samples, 95 % intervals of the mean hold it in all but a few."""
    rng = np.random.default_rng(3)
    hits = 0
    for trial in range(120):
        effect = np.repeat(rng.normal(size=60), 4)
        values = effect + 0.5 * rng.normal(size=240)
        accounts = np.repeat(np.arange(60), 4).astype(object)
        found = AccountBootstrap(accounts, samples=200, seed=trial).estimate(mean_of(values))
        hits += found.low <= 0 <= found.high
    assert 105 <= hits <= 120


def test_equal_seeds_give_equal_intervals_and_small_memory_the_same(monkeypatch):
    """The interval does not depend on whether the weights are kept or made piece by piece."""
    accounts = np.repeat(np.arange(30), 3).astype(object)
    values = np.random.default_rng(4).normal(size=90)
    kept = AccountBootstrap(accounts, samples=50, seed=9).estimate(mean_of(values))
    monkeypatch.setattr(module, "_KEPT_CELLS", 0)
    monkeypatch.setattr(module, "_CHUNK_CELLS", 500)
    pieces = AccountBootstrap(accounts, samples=50, seed=9).estimate(mean_of(values))
    assert (kept.value, kept.low, kept.high) == pytest.approx((pieces.value, pieces.low, pieces.high))


def test_an_undefined_figure_is_none_in_json():
    """A figure that no resample defines has neither value nor interval."""
    found = AccountBootstrap(np.array(["a", "b"], dtype=object), samples=20, seed=1).estimate(
        lambda weight: np.full(len(weight), np.nan)
    )
    assert found.as_dict() == {"value": None, "low": None, "high": None}


def test_intervals_of_several_figures_hold_together():
    """Of 150 samples with 12 figures each, all twelve widened intervals hold the truth in nine of ten or more."""
    rng = np.random.default_rng(6)
    accounts = np.arange(80).astype(object)
    together = alone = 0
    for trial in range(150):
        values = rng.normal(size=(12, 80))
        for comparisons in (1, 12):
            bootstrap = AccountBootstrap(accounts, samples=100, seed=trial, comparisons=comparisons)
            found = [bootstrap.estimate(mean_of(one)) for one in values]
            held = all(one.low <= 0 <= one.high for one in found)
            together, alone = (together + held, alone) if comparisons == 12 else (together, alone + held)
    assert alone < 110
    assert together >= 135


def test_the_reach_is_the_normal_quantile():
    """One interval of 95 % reaches 1.96 standard errors, each of twelve 2.87."""
    assert simultaneous_reach(1) == pytest.approx(1.95996, abs=1e-4)
    assert simultaneous_reach(12) == pytest.approx(2.86526, abs=1e-4)


def test_the_mean_of_rows_is_one_figure_among_others():
    """It has the value and interval of the figure that weighs the rows."""
    accounts, values = np.repeat(np.arange(30), 3).astype(object), np.random.default_rng(4).normal(size=90)
    bootstrap = AccountBootstrap(accounts, samples=50, seed=9)
    assert bootstrap.mean(values) == bootstrap.estimate(mean_of(values))


def test_an_estimate_is_read_as_it_was_told():
    """What has all three numbers comes back; what lacks one, or was never told, is None."""
    figure = Estimate(0.25, 0.125, 0.5)
    assert Estimate.from_dict(figure.as_dict()) == figure
    for lacking in (None, {}, figure.as_dict() | {"low": None}, {"value": 0.25}):
        assert Estimate.from_dict(lacking) is None


def test_the_difference_of_independent_figures_is_wider_than_either():
    """Half-widths add by squares, each end's with the other's opposite end, and are widened as asked."""
    ours, theirs = Estimate(10.0, 7.0, 14.0), Estimate(4.0, 1.0, 8.0)
    assert ours.less(theirs) == Estimate(6.0, 1.0, 11.0)
    assert ours.less(theirs, wider=2.0) == Estimate(6.0, -4.0, 16.0)
