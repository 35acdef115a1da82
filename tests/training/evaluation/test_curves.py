"""Curves: few points, each exact, none bought with ties."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from training.evaluation.curves import LEAST_FLAGGED, POINTS, curves


@pytest.fixture(scope="module")
def sample():
    """Return labels and scores of 3,000 rows."""
    rng = np.random.default_rng(4)
    score = rng.normal(size=3000)
    return (rng.random(3000) < 1 / (1 + np.exp(2 - score))).astype(float), score


def test_points_are_few_and_lie_on_scikit_learns_curve(sample):
    """At most 41 points, from (0, 0) to (1, 1), each a vertex of the full curve; the area is nearly kept."""
    label, score = sample
    roc = curves(label, score)["roc"]
    assert len(roc.x) <= POINTS
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    full = set(zip(false.round(9).tolist(), true.round(9).tolist(), strict=True))
    assert set(zip(roc.x.round(9).tolist(), roc.y.round(9).tolist(), strict=True)) <= full
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(np.trapezoid(true, false), abs=0.01)


def test_gain_and_precision_end_at_all_rows(sample):
    """Taking everybody finds every event, at the precision of the event rate; precision starts at ten rows."""
    label, score = sample
    found = curves(label, score)
    assert (found["gain"].x[-1], found["gain"].y[-1]) == (1, 1)
    precision = found["precision_recall"]
    assert precision.y[-1] == pytest.approx(label.mean())
    top = label[np.argsort(-score)][:LEAST_FLAGGED]
    assert (precision.x[0], precision.y[0]) == (top.sum() / label.sum(), top.mean())


def test_ties_move_together():
    """A score that is the same for everybody draws chance, whatever the order of rows."""
    label = np.array([1.0, 1, 0, 0, 0])
    roc = curves(label, np.full(5, 0.4))["roc"]
    assert (roc.x.tolist(), roc.y.tolist()) == ([0, 1], [0, 1])


def test_without_both_labels_there_is_no_curve():
    """Nothing can be ranked where all rows end alike."""
    assert curves(np.zeros(10), np.arange(10.0)) == {}
