"""Other forms of calibration than Platt's, to be compared with it: an intercept a segment, beta, and isotonic.

Each is a frozen value that maps raw margins to calibrated log-odds and rises with the margin. An intercept a segment is
a `Platt` with offsets; in the graph they are part of the steps of the segment's curve. Beta and isotonic bend the
margin, and are compared only: reasons and intervals of a bundle are sums over trees, which a bend would break.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from training.heads.calibration import MIN_SLOPE, SHIFT_SPREAD, SLOPE_SPREAD, fit_platt
from training.heads.hazard import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.heads.hazard import Platt

OFFSET_SPREAD = 0.3
"""Standard deviation of the prior on a segment's offset, in log-odds: few events move it little."""

MIN_OFFSET_EVENTS = 10
_ITERATIONS = 50
_TOLERANCE = 1e-10


class Calibration(Protocol):
    """A map from raw margins to calibrated log-odds."""

    def log_odds(
        self, margin: NDArray[np.float64], segment: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        """Return calibrated log-odds, shape (n,)."""
        ...


@dataclass(frozen=True, slots=True)
class Beta:
    """Beta calibration (Kull, Silva Filho and Flach 2017): `a * ln p - b * ln(1 - p) + c` of p = sigmoid(m)."""

    a: float
    b: float
    c: float

    def log_odds(
        self,
        margin: NDArray[np.float64],
        segment: NDArray[Any] | None = None,  # noqa: ARG002 - one form for all segments
    ) -> NDArray[np.float64]:
        """Return calibrated log-odds, shape (n,)."""
        found = self.c - self.a * np.logaddexp(0.0, -margin) + self.b * np.logaddexp(0.0, margin)
        return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class PiecewiseLinear:
    """A rising polyline through (x, y), flat beyond its ends."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def log_odds(
        self,
        margin: NDArray[np.float64],
        segment: NDArray[Any] | None = None,  # noqa: ARG002 - one form for all segments
    ) -> NDArray[np.float64]:
        """Return calibrated log-odds, shape (n,)."""
        return np.asarray(np.interp(margin, self.x, self.y), dtype=np.float64)


def fit_segmented(
    margin: NDArray[np.float64], event: NDArray[np.float64], code: NDArray[Any], segments: int
) -> Platt:
    """Fit Platt to all rows, then an offset to each segment with at least `MIN_OFFSET_EVENTS` events.

    An offset has a Gaussian prior around 0 with spread `OFFSET_SPREAD`, so few events move it little.

    Args:
        margin: Shape (n,), raw margins out of sample.
        event: Shape (n,), 0 or 1.
        code: Shape (n,), segment of each row, -1 where it is not known.
        segments: Number of segments.
    """
    platt = fit_platt(margin, event)
    calibrated = platt.slope * margin + platt.intercept
    offsets = []
    for segment in range(segments):
        here = code == segment
        enough = event[here].sum() >= MIN_OFFSET_EVENTS
        offsets.append(_offset(calibrated[here], event[here]) if enough else 0.0)
    return replace(platt, offsets=tuple(offsets))


def fit_beta(margin: NDArray[np.float64], event: NDArray[np.float64]) -> Beta:
    """Fit beta calibration with the largest posterior, a and b at least 0.05.

    The prior is that of Platt: both slopes around 1, the shift around 0.

    Args:
        margin: Shape (n,), raw margins out of sample.
        event: Shape (n,), 0 or 1.
    """
    low, high = -np.logaddexp(0.0, -margin), np.logaddexp(0.0, margin)
    sign = np.where(event > 0, 1.0, -1.0)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        signed = sign * (values[0] * low + values[1] * high + values[2])
        pull = -sign / (1 + np.exp(signed))
        prior = ((values[:2] - 1) ** 2).sum() / SLOPE_SPREAD**2 + values[2] ** 2 / SHIFT_SPREAD**2
        gradient = np.array([pull @ low, pull @ high, pull.sum()])
        gradient[:2] += (values[:2] - 1) / SLOPE_SPREAD**2
        gradient[2] += values[2] / SHIFT_SPREAD**2
        return float(np.logaddexp(0.0, -signed).sum() + prior / 2), gradient

    bounds = [(MIN_SLOPE, None), (MIN_SLOPE, None), (None, None)]
    found = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return Beta(float(found[0]), float(found[1]), float(found[2]))


def fit_isotonic(margin: NDArray[np.float64], event: NDArray[np.float64]) -> PiecewiseLinear:
    """Fit isotonic regression, and draw a polyline through the middles of its steps in log-odds.

    A step without events, or of nothing else, gets half an event, so that log-odds stay finite.

    Args:
        margin: Shape (n,), raw margins out of sample.
        event: Shape (n,), 0 or 1.
    """
    level = IsotonicRegression(out_of_bounds="clip").fit_transform(margin, event)
    x, y = [], []
    for value in np.unique(level):
        here = level == value
        count = float(here.sum())
        share = min(max(float(value), 0.5 / (count + 1)), (count + 0.5) / (count + 1))
        x.append(float(margin[here].mean()))
        y.append(float(np.log(share / (1 - share))))
    return PiecewiseLinear(tuple(x), tuple(np.maximum.accumulate(y).tolist()))


def _offset(margin: NDArray[np.float64], event: NDArray[np.float64]) -> float:
    offset = 0.0
    for _ in range(_ITERATIONS):
        probability = sigmoid(margin + offset)
        slope = float((probability - event).sum()) + offset / OFFSET_SPREAD**2
        step = slope / (float((probability * (1 - probability)).sum()) + 1 / OFFSET_SPREAD**2)
        offset -= step
        if abs(step) < _TOLERANCE:
            break
    return offset
