"""How far probabilities lie from what happens, in the figures that a promotion is judged by.

Weights have shape (b, n), as in `training.evaluation.metrics`, which holds calibration in the large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.reliability import calibration_error, equal_count_bins
from training.heads.hazard import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import Estimate

_CLIP = 1e-9
_STEPS = 8
_MAX_STEP = 2.0
_RIDGE = 1e-9


def observed_to_expected(
    label: NDArray[np.float64], probability: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return events over the sum of probabilities, shape (b,): 1 is right, 2 means twice as many came."""
    expected = weight @ probability
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(expected > 0, weight @ label / expected, np.nan), dtype=np.float64)


def calibration_slope(
    label: NDArray[np.float64], probability: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the slope of a logistic regression of the event on the log-odds, shape (b,); Cox 1958.

    1 is right; below it probabilities are too extreme, above it too timid. NaN where there is no event or nothing else.
    """
    clipped = np.clip(probability, _CLIP, 1 - _CLIP)
    odds = np.log(clipped) - np.log1p(-clipped)
    offset = odds - odds.mean()
    total = weight.sum(axis=1)
    events = weight @ label
    known = (events > 0) & (events < total)
    slope = np.ones(len(weight))
    shift = np.full(len(weight), odds.mean())
    for _ in range(_STEPS):
        fitted = sigmoid(shift[:, None] + slope[:, None] * offset)
        residual = weight * (label - fitted)
        spread = weight * fitted * (1 - fitted)
        a, b, c = spread.sum(axis=1) + _RIDGE, spread @ offset, spread @ offset**2 + _RIDGE
        first, second = residual.sum(axis=1), residual @ offset
        determinant = np.maximum(a * c - b * b, _RIDGE)
        shift = shift + np.clip((c * first - b * second) / determinant, -_MAX_STEP, _MAX_STEP)
        slope = slope + np.clip((a * second - b * first) / determinant, -_MAX_STEP, _MAX_STEP)
    return np.where(known, slope, np.nan)


def calibration_figures(
    account_id: NDArray[np.object_],
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    *,
    samples: int,
    seed: int,
    comparisons: int = 1,
) -> dict[str, Estimate]:
    """Return `observed_to_expected`, `slope` and `expected_calibration_error` with 95 % intervals over accounts.

    The error has what noise adds taken off; see `training.evaluation.reliability.calibration_error`.

    Args:
        account_id: Shape (n,).
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        samples: Resamples.
        seed: Their seed.
        comparisons: Of so many figures that are judged together, so that their intervals are widened.
    """
    bootstrap = AccountBootstrap(account_id, samples=samples, seed=seed, comparisons=comparisons)
    error = calibration_error(bootstrap, label, probability, equal_count_bins(probability))
    return {
        "observed_to_expected": bootstrap.estimate(
            lambda weight: observed_to_expected(label, probability, weight)
        ),
        "slope": bootstrap.estimate(lambda weight: calibration_slope(label, probability, weight)),
        "expected_calibration_error": error["expected_calibration_error_debiased"],
    }
