"""A trained head: discrete-time hazards, one booster an interval, composed to probabilities per horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import lightgbm as lgb
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Platt:
    """Logistic calibration of a raw margin m: probability = sigmoid(slope * m + intercept + offsets[segment]).

    Attributes:
        slope: Above zero.
        intercept: In log-odds.
        offsets: Per segment code, log-odds on top; empty if all segments are calibrated alike.
    """

    slope: float
    intercept: float
    offsets: tuple[float, ...] = ()

    def log_odds(
        self, margin: NDArray[np.float64], segment: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        """Return the calibrated log-odds of *margin*, of its shape, for segment codes as `offset` takes them."""
        plain = np.asarray(self.slope * margin + self.intercept, dtype=np.float64)
        if segment is None or not self.offsets:
            return plain
        return np.asarray(plain + self.offset(segment), dtype=np.float64)

    def offset(self, segment: NDArray[Any]) -> NDArray[np.float64]:
        """Return what each segment adds, of the shape of *segment*; 0 for a code that is missing or not known.

        Args:
            segment: Codes as the feature matrix holds them; between two codes the lower one counts, as in a tree.
        """
        known = (segment >= 0) & (segment < len(self.offsets))
        code = np.where(known, segment, len(self.offsets)).astype(np.intp)
        return np.append(self.offsets, 0.0)[code]


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of *log_odds*, of its shape."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), dtype=np.float64)


def composed(hazards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(event within each horizon) of hazards, both of shape (n, k): `1 - prod(1 - hazard)`, never falling."""
    return np.asarray(1.0 - np.cumprod(1.0 - hazards, axis=1), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class HazardHead:
    """Hazards of an event in consecutive intervals that end at `horizons_days`.

    Attributes:
        name: Head name.
        horizons_days: Ends of the intervals, increasing; k of them.
        boosters: k binary LightGBM boosters; the j-th gives the margin of the event in interval j for an account that
            had none before it.
        calibrations: k calibrations of those margins.
        segment_column: Column of the matrix with the segment codes of the calibrations' offsets; None without any.
    """

    name: Literal["churn", "upsell", "winback"]
    horizons_days: tuple[int, ...]
    boosters: tuple[lgb.Booster, ...]
    calibrations: tuple[Platt, ...]
    segment_column: int | None = None

    def log_odds(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated log-odds of the hazards, shape (n, k), for a *matrix* of shape (n, features)."""
        plain = np.column_stack(
            [
                platt.log_odds(np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64))
                for booster, platt in zip(self.boosters, self.calibrations, strict=True)
            ]
        )
        if self.segment_column is None:
            return plain
        return np.asarray(plain + self.offsets(matrix[:, self.segment_column]), dtype=np.float64)

    def offsets(self, segment: NDArray[Any]) -> NDArray[np.float64]:
        """Return what the segment adds to the log-odds of each interval, shape (n, k); see `Platt.offset`."""
        return np.column_stack([platt.offset(segment) for platt in self.calibrations])

    def hazards(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated hazards of shape (n, k) for a float64 *matrix* of shape (n, features)."""
        return sigmoid(self.log_odds(matrix))

    def probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(event within each horizon), shape (n, k), never falling along k."""
        return composed(self.hazards(matrix))
