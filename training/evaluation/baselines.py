"""The three yardsticks that are always shown: the base rate, the best single feature, logistic regression.

They see the same rows as the boosters. A booster that does not beat them is not worth its weight.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from training.evaluation.metrics import log_loss
from training.heads.hazard import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CLIP_PERCENTILES = (0.5, 99.5)
_STRENGTHS = (0.003, 0.03, 0.3)
_LOOSE = 10.0


@dataclass(frozen=True, slots=True)
class Column:
    """A matrix column as the baselines see it: its name, and the number of categories if it holds codes, else 0."""

    name: str
    categories: int = 0


@dataclass(frozen=True, slots=True)
class Scaling:
    """Turns matrix columns into inputs of a linear model: imputed, clipped, standardised, categories one-hot.

    Attributes:
        columns: Positions in the matrix.
        categories: Number of categories of each column, 0 if it is a number.
        median: Imputed value of each column.
        low: Lower clip of each column.
        high: Upper clip of each column.
        spread: Standard deviation after clipping, 1 where it is 0.
        mean: Mean after clipping.
    """

    columns: tuple[int, ...]
    categories: tuple[int, ...]
    median: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def learn(cls, matrix: NDArray[np.float64], columns: Sequence[Column], chosen: Sequence[int]) -> Scaling:
        """Learn from the training rows *matrix*, for the columns at the positions *chosen*."""
        part = matrix[:, list(chosen)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column that is null throughout
            median = np.nan_to_num(np.nanmedian(part, axis=0))
            low, high = np.nan_to_num(np.nanpercentile(part, _CLIP_PERCENTILES, axis=0))
        filled = np.clip(np.where(np.isnan(part), median, part), low, high)
        spread = filled.std(axis=0)
        return cls(
            columns=tuple(chosen),
            categories=tuple(columns[position].categories for position in chosen),
            median=median,
            low=low,
            high=high,
            mean=filled.mean(axis=0),
            spread=np.where(spread > 0, spread, 1.0),
        )

    def apply(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the inputs of a linear model, shape (n, inputs)."""
        part = matrix[:, list(self.columns)]
        filled = np.clip(np.where(np.isnan(part), self.median, part), self.low, self.high)
        scaled = (filled - self.mean) / self.spread
        blocks = [
            (part[:, [index]] == np.arange(count)).astype(np.float64) if count else scaled[:, [index]]
            for index, count in enumerate(self.categories)
        ]
        return np.hstack(blocks)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A fitted baseline of one head and horizon.

    Attributes:
        name: `base_rate`, `best_single_feature` or `logistic_regression`.
        note: What it is in words, such as the feature that was chosen.
        scaling: How rows become inputs, or None for the base rate.
        coefficients: Of the inputs; empty for the base rate.
        intercept: Log-odds at the mean.
    """

    name: str
    note: str
    scaling: Scaling | None
    coefficients: NDArray[np.float64]
    intercept: float

    def probability(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each row, shape (n,)."""
        margin = np.full(len(matrix), self.intercept)
        if self.scaling is not None:
            margin = margin + self.scaling.apply(matrix) @ self.coefficients
        return sigmoid(margin)


def single_feature_auc(
    matrix: NDArray[np.float64], label: NDArray[np.float64], columns: Sequence[Column]
) -> NDArray[np.float64]:
    """Return how well each column alone ranks events, shape (columns,): the larger of AUC and 1 - AUC, at least 0.5.

    A missing number counts as the median; that a value is missing is tried as a score of its own, and the better of the
    two counts. A category counts as its event rate.

    Args:
        matrix: Shape (n, columns).
        label: Shape (n,), 0 or 1, with both present.
        columns: What the columns hold.
    """
    events = label.sum()
    others = len(label) - events
    found = np.full(len(columns), 0.5)
    for position, column in enumerate(columns):
        values = matrix[:, position]
        missing = np.isnan(values)
        if missing.all():
            continue
        if column.categories:
            codes = np.where(missing, column.categories, values).astype(np.intp)
            counts = np.bincount(codes, minlength=column.categories + 1)
            rates = np.bincount(codes, weights=label, minlength=column.categories + 1) / np.maximum(counts, 1)
            scores = [rates[codes]]
        else:
            scores = [np.where(missing, np.median(values[~missing]), values)]
            if missing.any():
                scores.append(missing.astype(np.float64))
        for score in scores:
            distinct, inverse = np.unique(score, return_inverse=True)
            if len(distinct) == 1:
                continue
            per_value = np.bincount(inverse)
            rank = (np.cumsum(per_value) - (per_value - 1) / 2)[inverse]
            area = (rank @ label - events * (events + 1) / 2) / (events * others)
            found[position] = max(found[position], area, 1 - area)
    return found


def base_rate(label: NDArray[np.float64]) -> Baseline:
    """Return the baseline that gives every row the event rate of the training rows."""
    rate = float(np.clip(label.mean(), 0.5 / len(label), 1 - 0.5 / len(label)))
    return Baseline(
        "base_rate", f"{rate:.2%} for every account", None, np.empty(0), float(np.log(rate / (1 - rate)))
    )


def best_single_feature(
    matrix: NDArray[np.float64],
    label: NDArray[np.float64],
    columns: Sequence[Column],
    auc: NDArray[np.float64],
) -> Baseline:
    """Return logistic regression on the one column whose AUC on the training rows is largest.

    Args:
        matrix: Training rows.
        label: Shape (n,), 0 or 1.
        columns: What the columns hold.
        auc: Of each column alone, from `single_feature_auc`.
    """
    chosen = int(np.argmax(auc))
    note = f"{columns[chosen].name} (AUC {auc[chosen]:.3f} in training)"
    return _fit("best_single_feature", note, matrix, label, Scaling.learn(matrix, columns, [chosen]), _LOOSE)


def logistic_regression(
    matrix: NDArray[np.float64], label: NDArray[np.float64], columns: Sequence[Column], strength: float
) -> Baseline:
    """Return logistic regression on all columns with inverse penalty *strength*."""
    scaling = Scaling.learn(matrix, columns, range(len(columns)))
    return _fit("logistic_regression", f"L2 penalty, C = {strength:g}", matrix, label, scaling, strength)


def choose_strength(
    train: tuple[NDArray[np.float64], NDArray[np.float64]],
    validation: tuple[NDArray[np.float64], NDArray[np.float64]],
    columns: Sequence[Column],
) -> float:
    """Return the inverse penalty whose logistic regression has the least log loss on validation.

    Args:
        train: Matrix and labels.
        validation: Matrix and labels.
        columns: What the columns hold.
    """
    losses = [
        float(
            log_loss(
                validation[1], logistic_regression(*train, columns, strength).probability(validation[0])
            )[0]
        )
        for strength in _STRENGTHS
    ]
    return _STRENGTHS[int(np.argmin(losses))]


def _fit(
    name: str,
    note: str,
    matrix: NDArray[np.float64],
    label: NDArray[np.float64],
    scaling: Scaling,
    strength: float,
) -> Baseline:
    if label.min() == label.max():
        return Baseline(name, "one class only: the base rate", None, np.empty(0), base_rate(label).intercept)
    model = LogisticRegression(C=strength, max_iter=100, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaling.apply(matrix), label)
    return Baseline(
        name, note, scaling, np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])
    )
