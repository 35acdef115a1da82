"""Platt calibration: what it recovers, and what it refuses to believe."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.heads.calibration import MIN_SLOPE, calibrated_log_loss, fit_platt, refit_intercept
from training.heads.hazard import Platt


def sample(slope, intercept, rows=60_000, seed=1):
    """Return margins and events whose log-odds are slope * margin + intercept."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2, 1, rows)
    event = (rng.random(rows) < 1 / (1 + np.exp(-(slope * margin + intercept)))).astype(float)
    return margin, event


def test_with_many_rows_it_is_plain_logistic_regression():
    """With thousands of events the prior vanishes: slope and intercept are scikit-learn's."""
    margin, event = sample(0.6, 0.4)
    platt = fit_platt(margin, event)
    reference = LogisticRegression(C=np.inf, tol=1e-8).fit(margin[:, None], event)
    assert platt.slope == pytest.approx(reference.coef_[0, 0], abs=0.01)
    assert platt.intercept == pytest.approx(reference.intercept_[0], abs=0.02)


def test_with_hardly_any_events_it_stays_near_the_identity():
    """Three events, all at the top, would make plain logistic regression as steep as can be; the prior holds it."""
    margin = np.linspace(-6, -1, 60)
    event = np.zeros(60)
    event[-3:] = 1
    platt = fit_platt(margin, event)
    plain = LogisticRegression(C=np.inf, tol=1e-8, max_iter=5000).fit(margin[:, None], event)
    assert plain.coef_[0, 0] > 10
    assert 1 < platt.slope < 2


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_class_only_gives_a_finite_calibration(value):
    """No events, or nothing else, is no reason for an infinite intercept."""
    platt = fit_platt(np.linspace(-3, 1, 200), np.full(200, value))
    assert np.isfinite([platt.slope, platt.intercept]).all()
    assert platt.slope >= MIN_SLOPE


def test_a_margin_that_ranks_backwards_keeps_a_positive_slope():
    """A higher margin always means a higher probability; the mean stays right."""
    margin, event = sample(-0.8, -3.0)
    platt = fit_platt(margin, event)
    assert platt.slope == MIN_SLOPE
    probability = 1 / (1 + np.exp(-(platt.slope * margin + platt.intercept)))
    assert probability.mean() == pytest.approx(event.mean(), rel=1e-6)


def test_weights_stand_for_repeated_rows():
    """A row of weight three is three rows."""
    margin, event = sample(0.7, 0.0, rows=400)
    weight = np.tile([1.0, 3.0], 200)
    repeated = np.repeat(np.arange(400), weight.astype(int))
    assert fit_platt(margin, event, weight).slope == pytest.approx(
        fit_platt(margin[repeated], event[repeated]).slope
    )
    assert calibrated_log_loss(margin, event, weight) == pytest.approx(
        calibrated_log_loss(margin[repeated], event[repeated])
    )


def test_the_refitted_intercept_makes_the_mean_right():
    """The mean probability is the share of events, at the given slope; no events still give a finite intercept."""
    margin, event = sample(1.0, 0.5, rows=3000)
    platt = refit_intercept(Platt(slope=0.5, intercept=9.0), margin, event)
    assert platt.slope == 0.5
    assert (1 / (1 + np.exp(-(0.5 * margin + platt.intercept)))).mean() == pytest.approx(
        event.mean(), rel=1e-6
    )
    assert np.isfinite(refit_intercept(platt, margin, np.zeros(3000)).intercept)


def test_nothing_to_calibrate_by_leaves_margins_as_they_are():
    """An interval without a row keeps slope and intercept."""
    empty = np.empty(0)
    assert fit_platt(empty, empty) == Platt(slope=1.0, intercept=0.0)
    assert refit_intercept(Platt(slope=2.0, intercept=1.0), empty, empty) == Platt(slope=2.0, intercept=1.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_weight_counts_as_so_many_rows(sign: float) -> None:
    """Weighted rows calibrate as the repeated rows do, also where the slope is held at its least."""
    random = np.random.default_rng(5)
    margin = random.normal(-1.0, 1.0, 300)
    event = (random.random(300) < 1 / (1 + np.exp(-sign * margin))).astype(np.float64)
    weight = random.integers(1, 5, 300)
    weighted = fit_platt(margin, event, weight.astype(np.float64))
    repeated = fit_platt(np.repeat(margin, weight), np.repeat(event, weight))
    assert weighted.slope == pytest.approx(repeated.slope, abs=1e-8)
    assert weighted.intercept == pytest.approx(repeated.intercept, abs=1e-8)
