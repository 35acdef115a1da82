"""Metrics against scikit-learn and against values known by hand, weighted and tied."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from training.evaluation import metrics

RNG = np.random.default_rng(0)
LABEL = (RNG.random(800) < 0.2).astype(float)
SCORE = np.round(np.clip(0.2 * LABEL + RNG.random(800) * 0.7, 0.01, 0.99), 2)
WEIGHT = RNG.integers(0, 4, size=(3, 800)).astype(float)

PAIRS = [
    (metrics.roc_auc, sk.roc_auc_score),
    (metrics.average_precision, sk.average_precision_score),
    (metrics.brier, sk.brier_score_loss),
    (metrics.log_loss, sk.log_loss),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_equal_to_scikit_learn_with_ties(ours, theirs):
    """Without weights the figures are scikit-learn's, many ties included."""
    assert ours(LABEL, SCORE)[0] == pytest.approx(theirs(LABEL, SCORE), abs=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_equal_to_scikit_learn_for_several_weights_at_once(ours, theirs):
    """Rows of weights give one figure each, equal to scikit-learn's `sample_weight`."""
    expected = [theirs(LABEL, SCORE, sample_weight=weight) for weight in WEIGHT]
    np.testing.assert_allclose(ours(LABEL, SCORE, WEIGHT), expected, atol=1e-12)


def test_precision_and_recall_equal_scikit_learn():
    """At a threshold, rows at it are flagged."""
    flagged = SCORE >= 0.5
    assert metrics.precision(LABEL, SCORE, 0.5)[0] == pytest.approx(sk.precision_score(LABEL, flagged))
    assert metrics.recall(LABEL, SCORE, 0.5)[0] == pytest.approx(sk.recall_score(LABEL, flagged))


def test_lift_of_a_perfect_and_of_a_constant_score():
    """A perfect score with 10 % events has lift 10 in its top tenth; a constant one has lift 1."""
    label = np.repeat([1.0, 0.0], [100, 900])
    assert metrics.lift_at_top(label, label)[0] == pytest.approx(10)
    assert metrics.lift_at_top(label, np.full(1000, 0.3))[0] == pytest.approx(1)


def test_lift_counts_ties_at_the_edge_in_proportion():
    """When the top tenth cuts through equal scores, their event rate counts."""
    label = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    score = np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert metrics.lift_at_top(label, score)[0] == pytest.approx(0.5 / 0.2)


def test_calibration_in_the_large_is_said_over_seen():
    """Twice as much said as happens is 2."""
    assert metrics.calibration_in_the_large(np.array([1.0, 0, 0, 0]), np.full(4, 0.5))[0] == pytest.approx(2)


def test_figures_without_events_are_nan_and_not_an_error():
    """Resamples may hold no event: ranks, recall, lift and calibration are then undefined."""
    label, score = np.zeros(5), np.linspace(0, 1, 5)
    for figure in (
        metrics.roc_auc,
        metrics.average_precision,
        metrics.lift_at_top,
        metrics.calibration_in_the_large,
    ):
        assert np.isnan(figure(label, score)[0])
    assert np.isnan(metrics.recall(label, score, 0.5)[0])
    assert np.isnan(metrics.precision(label, score, 2.0)[0])
    assert metrics.log_loss(label, np.zeros(5))[0] == pytest.approx(0, abs=1e-9)


def test_the_mean_loss_by_class_equals_scikit_learn():
    """Each row's loss is that of the class that came; a class that was ruled out costs much, not infinitely much."""
    probability = RNG.dirichlet(np.ones(3), 200)
    codes = RNG.integers(0, 3, 200)
    losses = metrics.class_losses(probability, codes)
    assert losses.mean() == pytest.approx(sk.log_loss(codes, probability, labels=[0, 1, 2]), abs=1e-12)
    shares = np.broadcast_to(np.array([0.2, 0.3, 0.5]), (200, 3))
    assert np.array_equal(metrics.class_losses(shares, codes), -np.log(shares[0, codes]))
    assert metrics.class_losses(np.array([[1.0, 0.0]]), np.array([1]))[0] == pytest.approx(27.631, abs=1e-3)
