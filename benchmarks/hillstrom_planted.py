"""Effects that are planted into Hillstrom's customers, in five shapes; see `benchmarks.hillstrom_simulated`.

Each shape is fitted with scikit-learn to doubly robust scores of one half of the trial, or to its visits. How far it
tells customers apart is then scaled by what proved true on customers that it was not fitted to, so that a shape that
mostly follows noise ends up nearly flat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Fitted = Callable[["Known", NDArray[np.float64]], NDArray[np.float64]]

LEAST_STRENGTH: Final = 0.3
FLAGS: Final = (2, 3, 4)
"""Columns of the matrix: bought men's goods, bought women's goods, new."""
_SEED: Final = 5


@dataclass(frozen=True, slots=True)
class Known:
    """Customers whose outcomes a shape is fitted to; n of them, K actions.

    Attributes:
        matrix: Shape (n, f).
        arm: Shape (n,), 0 for none.
        outcome: Shape (n,), 0 or 1.
        scores: Shape (n, K), unbiased values of each customer's effects.
    """

    matrix: NDArray[np.float64]
    arm: NDArray[np.intp]
    outcome: NDArray[np.float64]
    scores: NDArray[np.float64]

    def select(self, rows: NDArray[np.intp]) -> Known:
        """Return the customers at the positions *rows*."""
        return Known(self.matrix[rows], self.arm[rows], self.outcome[rows], self.scores[rows])


@dataclass(frozen=True, slots=True)
class World:
    """Planted truth of N customers and K actions.

    Attributes:
        baseline: Shape (N,), chance of a visit without an action.
        effects: Shape (N, K), what each action adds to it.
        strength: Shape (K,), how far the fitted differences were believed.
    """

    baseline: NDArray[np.float64]
    effects: NDArray[np.float64]
    strength: NDArray[np.float64]

    def chance(self, rows: NDArray[np.intp], arm: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the chance of a visit of the customers *rows* under the arms *arm*, shape (n,)."""
        nothing = np.zeros((len(rows), 1))
        added = np.hstack([nothing, self.effects[rows]])[np.arange(len(rows)), arm]
        return np.asarray(np.clip(self.baseline[rows] + added, 0.0, 1.0), dtype=np.float64)


def planted(
    matrix: NDArray[np.float64],
    arm: NDArray[np.intp],
    outcome: NDArray[np.float64],
    everyone: NDArray[np.float64],
    shape: str,
) -> World:
    """Return the truth of *everyone* by *shape*, fitted to a trial whose arms were drawn with equal chances.

    Args:
        matrix: Shape (n, f), of the customers whose outcomes are known.
        arm: Shape (n,), 0 for none.
        outcome: Shape (n,), 0 or 1.
        everyone: Shape (N, f).
        shape: A key of `SHAPES`.
    """
    expected = np.column_stack(
        [_expected(matrix, arm == number, outcome) for number in range(int(arm.max()) + 1)]
    )
    scores = _scores(arm, outcome, expected)
    known, fitted = Known(matrix, arm, outcome, scores), SHAPES[shape]
    average = scores.mean(axis=0)
    unseen = np.empty_like(scores)
    for train, test in KFold(4, shuffle=True, random_state=_SEED).split(matrix):
        told = fitted(known.select(train), matrix)
        unseen[test] = told[test] - told[train].mean(axis=0)
    strength = np.array(
        [
            float(np.clip((one @ score) / (one @ one), LEAST_STRENGTH, 1.0))
            for one, score in zip((unseen - unseen.mean(axis=0)).T, (scores - average).T, strict=True)
        ]
    )
    inside, told = np.split(fitted(known, np.vstack([matrix, everyone])), [len(matrix)])
    effects = average + strength * (told - inside.mean(axis=0))
    base = _grown(matrix[arm == 0], outcome[arm == 0]).predict(everyone)
    return World(np.clip(base, 0.01, 0.9), effects, strength)


def _grown(matrix: NDArray[np.float64], outcome: NDArray[np.float64]) -> HistGradientBoostingRegressor:
    return _trees().fit(matrix, outcome)


def _trees() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        max_iter=60, max_leaf_nodes=8, learning_rate=0.05, min_samples_leaf=200, random_state=_SEED
    )


def _expected(
    matrix: NDArray[np.float64], drawn: NDArray[np.bool_], outcome: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the expected outcome under one arm, out of fold for those who got it."""
    found = np.empty(len(matrix))
    found[~drawn] = _grown(matrix[drawn], outcome[drawn]).predict(matrix[~drawn])
    found[drawn] = cross_val_predict(_trees(), matrix[drawn], outcome[drawn], cv=4)
    return found


def _scores(
    arm: NDArray[np.intp], outcome: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return augmented inverse-propensity scores (Robins, Rotnitzky and Zhao, 1994) of the effects, shape (n, K)."""
    arms = expected.shape[1]
    drawn = arm[:, None] == np.arange(arms)
    value = expected + arms * drawn * (outcome[:, None] - expected)
    return np.asarray(value[:, 1:] - value[:, :1], dtype=np.float64)


def _linear(known: Known, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit effects that are a weighted sum of the features."""
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
    return np.asarray(model.fit(known.matrix, known.scores).predict(asked), dtype=np.float64)


def _forest(known: Known, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit effects that a forest of large leaves finds."""
    model = RandomForestRegressor(
        100, min_samples_leaf=400, max_features=0.5, max_samples=0.5, random_state=_SEED
    )
    return np.asarray(model.fit(known.matrix, known.scores).predict(asked), dtype=np.float64)


def _two_models(known: Known, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the visits of each arm by itself; effects are what they differ by."""
    arms = [
        _grown(known.matrix[known.arm == number], known.outcome[known.arm == number]).predict(asked)
        for number in range(known.scores.shape[1] + 1)
    ]
    return np.column_stack([one - arms[0] for one in arms[1:]])


def _multiplied(known: Known, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit a logistic regression in which every feature may change what an action does to the odds."""
    scale = StandardScaler().fit(known.matrix)

    def columns(rows: NDArray[np.float64], given: NDArray[np.intp]) -> NDArray[np.float64]:
        plain = scale.transform(rows)
        own = [
            (given == action + 1)[:, None] * np.column_stack([np.ones(len(rows)), plain])
            for action in range(known.scores.shape[1])
        ]
        return np.hstack([plain, *own])

    model = LogisticRegression(C=0.01, max_iter=500).fit(columns(known.matrix, known.arm), known.outcome)
    told = [
        model.predict_proba(columns(asked, np.full(len(asked), number)))[:, 1]
        for number in range(known.scores.shape[1] + 1)
    ]
    return np.column_stack([one - told[0] for one in told[1:]])


def _steps(known: Known, asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit an effect of its own to each of the groups that three yes-or-no features make, small groups drawn in."""
    powers = 2.0 ** np.arange(len(FLAGS))
    group, of_asked = known.matrix[:, FLAGS] @ powers, asked[:, FLAGS] @ powers
    average = known.scores.mean(axis=0)
    found = np.tile(average, (len(asked), 1))
    for number in np.unique(group):
        inside = group == number
        rows = int(inside.sum())
        found[of_asked == number] = (rows * known.scores[inside].mean(axis=0) + 1000 * average) / (
            rows + 1000
        )
    return found


SHAPES: Final[dict[str, Fitted]] = {
    "linear": _linear,
    "forest": _forest,
    "two models": _two_models,
    "multiplied": _multiplied,
    "steps": _steps,
}
