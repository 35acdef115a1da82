"""A trained head: discrete-time hazards, one booster an interval, composed to probabilities per horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import lightgbm as lgb
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Platt:
    """Logistic calibration of a raw margin m: probability = sigmoid(slope * m + intercept)."""

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class HazardHead:
    """Hazards of an event in consecutive intervals that end at `horizons_days`.

    Attributes:
        name: Head name.
        horizons_days: Ends of the intervals, increasing; k of them.
        boosters: k binary LightGBM boosters; the j-th gives the margin of the event in interval j for an account that
            had none before it.
        calibrations: k calibrations of those margins.
    """

    name: Literal["churn", "upsell"]
    horizons_days: tuple[int, ...]
    boosters: tuple[lgb.Booster, ...]
    calibrations: tuple[Platt, ...]

    def hazards(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated hazards of shape (n, k) for a float64 *matrix* of shape (n, features)."""
        columns = []
        for booster, platt in zip(self.boosters, self.calibrations, strict=True):
            margin = np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64)
            columns.append(1.0 / (1.0 + np.exp(-(platt.slope * margin + platt.intercept))))
        return np.column_stack(columns)

    def probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(event within each horizon), shape (n, k): `1 - prod(1 - hazard)`, never falling along k."""
        survival = np.cumprod(1.0 - self.hazards(matrix), axis=1)
        return np.asarray(1.0 - survival, dtype=np.float64)
