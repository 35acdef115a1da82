"""Metrics of a binary prediction, each a small function of labels, scores and row weights, and the loss by class.

Weights may have shape (n,) for one value, or (b, n) for b values at once: that is how the bootstrap asks. Undefined
values (no events, say) are NaN, never an exception, since a resample may hit them.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]

_CLIP = 1e-12


def _weights(label: Vector, weight: Vector | None) -> Vector:
    return np.ones((1, len(label))) if weight is None else np.atleast_2d(weight)


def _ratio(numerator: Vector, denominator: Vector) -> Vector:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(denominator > 0, numerator / denominator, np.nan), dtype=np.float64)


def _tied_sums(score: Vector, columns: tuple[Vector, ...], *, descending: bool) -> tuple[Vector, ...]:
    """Sum weight columns of shape (b, n) over rows of equal score, in the order of the score."""
    order = np.argsort(-score if descending else score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return tuple(np.add.reduceat(column[:, order], starts, axis=1) for column in columns)


def roc_auc(label: Vector, score: Vector, weight: Vector | None = None) -> Vector:
    """Return the area under the ROC curve, shape (b,): P(score of an event > score of a non-event), ties half.

    Args:
        label: Shape (n,), 0 or 1.
        score: Shape (n,), higher means more likely.
        weight: Shape (n,) or (b, n); ones if None.
    """
    weights = _weights(label, weight)
    events, others = _tied_sums(score, (weights * label, weights * (1 - label)), descending=False)
    below = np.cumsum(others, axis=1) - others
    wins = np.sum(events * (below + 0.5 * others), axis=1)
    return _ratio(wins, events.sum(axis=1) * others.sum(axis=1))


def average_precision(label: Vector, score: Vector, weight: Vector | None = None) -> Vector:
    """Return average precision, shape (b,): the sum of precision times the step in recall over falling thresholds."""
    weights = _weights(label, weight)
    events, everyone = _tied_sums(score, (weights * label, weights), descending=True)
    flagged = np.cumsum(everyone, axis=1)
    precision = np.divide(np.cumsum(events, axis=1), flagged, out=np.zeros_like(flagged), where=flagged > 0)
    return _ratio(np.sum(precision * events, axis=1), events.sum(axis=1))


def brier(label: Vector, probability: Vector, weight: Vector | None = None) -> Vector:
    """Return the mean squared difference of label and probability, shape (b,)."""
    weights = _weights(label, weight)
    return _ratio(weights @ (label - probability) ** 2, weights.sum(axis=1))


def log_loss(label: Vector, probability: Vector, weight: Vector | None = None) -> Vector:
    """Return the mean negative log-likelihood in nats, shape (b,); probabilities are held 1e-12 off 0 and 1."""
    weights = _weights(label, weight)
    clipped = np.clip(probability, _CLIP, 1 - _CLIP)
    loss = -(label * np.log(clipped) + (1 - label) * np.log1p(-clipped))
    return _ratio(weights @ loss, weights.sum(axis=1))


def class_losses(probability: Vector, codes: NDArray[np.intp]) -> Vector:
    """Return each row's negative log-likelihood in nats, shape (n,); probabilities are held 1e-12 off 0.

    Args:
        probability: Shape (n, classes), or one that broadcasts to it.
        codes: Shape (n,), the class that came.
    """
    return np.asarray(-np.log(np.maximum(probability[np.arange(len(codes)), codes], _CLIP)), dtype=np.float64)


def precision(label: Vector, probability: Vector, threshold: float, weight: Vector | None = None) -> Vector:
    """Return the share of events among rows at or above *threshold*, shape (b,); NaN if there are none."""
    weights = _weights(label, weight)
    flagged = (probability >= threshold).astype(np.float64)
    return _ratio(weights @ (flagged * label), weights @ flagged)


def recall(label: Vector, probability: Vector, threshold: float, weight: Vector | None = None) -> Vector:
    """Return the share of events that lie at or above *threshold*, shape (b,); NaN if there are no events."""
    weights = _weights(label, weight)
    flagged = (probability >= threshold).astype(np.float64)
    return _ratio(weights @ (flagged * label), weights @ label)


def lift_at_top(label: Vector, score: Vector, share: float = 0.1, weight: Vector | None = None) -> Vector:
    """Return the event rate in the top *share* of rows over the event rate of all, shape (b,).

    Rows of equal score at the edge of the top count in proportion, so that ties give no luck.
    """
    weights = _weights(label, weight)
    events, everyone = _tied_sums(score, (weights * label, weights), descending=True)
    total = everyone.sum(axis=1, keepdims=True)
    before = np.cumsum(everyone, axis=1) - everyone
    taken = np.clip(share * total - before, 0.0, everyone)
    part = np.divide(taken, everyone, out=np.zeros_like(taken), where=everyone > 0)
    top_rate = _ratio(np.sum(part * events, axis=1), share * total[:, 0])
    return _ratio(top_rate, _ratio(events.sum(axis=1), total[:, 0]))


def calibration_in_the_large(label: Vector, probability: Vector, weight: Vector | None = None) -> Vector:
    """Return the mean probability over the event rate, shape (b,): 1 is right, 2 says twice what happens."""
    weights = _weights(label, weight)
    return _ratio(weights @ probability, weights @ label)
