"""Platt calibration of a raw margin, held near the identity when validation has little to say.

A booster trained on log loss is calibrated already up to shrinkage and drift, so slope 1 and intercept 0 is the
prior: Gaussian on the slope and on the shift at the mean margin. With thousands of events the prior vanishes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from training.heads.hazard import Platt, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOPE_SPREAD = 0.5
SHIFT_SPREAD = 0.5
MIN_SLOPE = 0.05
_ITERATIONS = 50
_TOLERANCE = 1e-10
_BISECTIONS = 100
_FAR = 60.0


def fit_platt(
    margin: NDArray[np.float64],
    event: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
    near: Platt | None = None,
    tolerance: float = _TOLERANCE,
) -> Platt:
    """Return the calibration with the largest posterior.

    The slope never falls under 0.05: a higher margin always means a higher probability, as explanations assume.

    Args:
        margin: Shape (n,), raw margins out of sample.
        event: Shape (n,), 0 or 1.
        weight: Shape (n,), how many observations a row stands for; ones if None.
        near: The calibration of nearly the same margins, to begin from.
        tolerance: Last change of slope and shift at which Newton's method ends. The log loss is then within about its
            square of the least.
    """
    if not len(margin):
        return Platt(slope=1.0, intercept=0.0)
    weights = np.ones_like(margin) if weight is None else weight
    centre = float(np.average(margin, weights=weights))
    offset = margin - centre
    slope, shift = 1.0, 0.0
    if near is not None:
        slope, shift = near.slope, near.intercept + near.slope * centre - centre
    for _ in range(_ITERATIONS):
        probability = sigmoid(centre + shift + slope * offset)
        residual = weights * (probability - event)
        spread = weights * probability * (1 - probability)
        gradient = np.array(
            [residual @ offset + (slope - 1) / SLOPE_SPREAD**2, residual.sum() + shift / SHIFT_SPREAD**2]
        )
        cross = spread @ offset
        hessian = np.array(
            [
                [spread @ offset**2 + 1 / SLOPE_SPREAD**2, cross],
                [cross, spread.sum() + 1 / SHIFT_SPREAD**2],
            ]
        )
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        slope, shift = slope - float(step[0]), shift - float(step[1])
        if np.abs(step).max() < tolerance:
            break
    if slope < MIN_SLOPE:
        return refit_intercept(Platt(slope=MIN_SLOPE, intercept=0.0), margin, event, weight)
    return Platt(slope=slope, intercept=centre + shift - slope * centre)


def calibrated_log_loss(
    margin: NDArray[np.float64],
    event: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
    platt: Platt | None = None,
) -> float:
    """Return the mean log loss in nats of *margin* after `fit_platt` on the same rows.

    Args:
        margin: Shape (n,), raw margins.
        event: Shape (n,), 0 or 1.
        weight: Shape (n,), how many observations a row stands for; ones if None.
        platt: What `fit_platt` gave for them; it is fitted if None.
    """
    if platt is None:
        platt = fit_platt(margin, event, weight)
    signed = np.where(event > 0, 1.0, -1.0) * (platt.slope * margin + platt.intercept)
    return float(np.average(np.logaddexp(0.0, -signed), weights=weight))


def refit_intercept(
    platt: Platt,
    margin: NDArray[np.float64],
    event: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
    segment: NDArray[Any] | None = None,
) -> Platt:
    """Return *platt* with the intercept at which the mean probability of the rows is their share of events.

    Where there is no event, or nothing else, half an event is added or taken, so that the intercept stays finite.

    Args:
        platt: The calibration whose slope and offsets are kept.
        margin: Shape (n,), raw margins.
        event: Shape (n,), 0 or 1.
        weight: Shape (n,), how many observations a row stands for; ones if None.
        segment: Shape (n,), segment codes; needed if there are offsets.
    """
    if not len(margin):
        return platt
    weights = np.ones_like(margin) if weight is None else weight
    wanted = float(np.clip(weights @ event, 0.5, max(0.5, float(weights.sum()) - 0.5)))
    scaled = replace(platt, intercept=0.0).log_odds(margin, segment)
    low, high = -_FAR - float(scaled.max()), _FAR - float(scaled.min())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if weights @ sigmoid(scaled + middle) < wanted:
            low = middle
        else:
            high = middle
    return replace(platt, intercept=(low + high) / 2)
