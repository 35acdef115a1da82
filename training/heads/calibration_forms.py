"""Other forms of calibration than Platt's, to be compared with it: beta, isotonic, and an intercept a segment.

Each is a frozen value that maps raw margins to calibrated ones, `margin' = apply(margin, segment_code)`, and rises with
the margin. All of them can be said in ONNX: `SegmentedPlatt` by Mul, Add and one Gather from a table of offsets (index
by Where(IsNaN), Cast of the encoded column); `Beta` by Softplus, Mul and Add; `PiecewiseLinear` by Sub, Relu, MatMul.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

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
    """A map from raw margins to calibrated ones."""

    def apply(
        self, margin: NDArray[np.float64], segment_code: NDArray[np.intp] | None = None
    ) -> NDArray[np.float64]:
        """Return calibrated margins, shape (n,)."""
        ...


@dataclass(frozen=True, slots=True)
class SegmentedPlatt:
    """Platt with an offset a segment: `slope * m + intercept + offsets[code]`; no offset where the code is -1."""

    slope: float
    intercept: float
    offsets: tuple[float, ...] = ()

    def apply(
        self, margin: NDArray[np.float64], segment_code: NDArray[np.intp] | None = None
    ) -> NDArray[np.float64]:
        """Return calibrated margins, shape (n,)."""
        found = np.asarray(self.slope * margin + self.intercept, dtype=np.float64)
        if segment_code is None or not self.offsets:
            return found
        return np.asarray(found + np.append(self.offsets, 0.0)[segment_code], dtype=np.float64)

    @classmethod
    def of(cls, platt: Platt) -> SegmentedPlatt:
        """Return *platt* as a form without offsets."""
        return cls(platt.slope, platt.intercept)


@dataclass(frozen=True, slots=True)
class Beta:
    """Beta calibration (Kull, Silva Filho and Flach 2017): `a * ln p - b * ln(1 - p) + c` of p = sigmoid(m)."""

    a: float
    b: float
    c: float

    def apply(
        self,
        margin: NDArray[np.float64],
        segment_code: NDArray[np.intp] | None = None,  # noqa: ARG002 - one form for all segments
    ) -> NDArray[np.float64]:
        """Return calibrated margins, shape (n,)."""
        found = self.c - self.a * np.logaddexp(0.0, -margin) + self.b * np.logaddexp(0.0, margin)
        return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class PiecewiseLinear:
    """A rising polyline through (x, y), flat beyond its ends."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(
        self,
        margin: NDArray[np.float64],
        segment_code: NDArray[np.intp] | None = None,  # noqa: ARG002 - one form for all segments
    ) -> NDArray[np.float64]:
        """Return calibrated margins, shape (n,)."""
        return np.asarray(np.interp(margin, self.x, self.y), dtype=np.float64)


def fit_segmented(
    margin: NDArray[np.float64], event: NDArray[np.float64], code: NDArray[np.intp], segments: int
) -> SegmentedPlatt:
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
    return SegmentedPlatt(platt.slope, platt.intercept, tuple(offsets))


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
