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

    def log_odds(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated log-odds of *margin*, of its shape."""
        return self.slope * margin + self.intercept


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
    """

    name: Literal["churn", "upsell"]
    horizons_days: tuple[int, ...]
    boosters: tuple[lgb.Booster, ...]
    calibrations: tuple[Platt, ...]

    def log_odds(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the calibrated log-odds of the hazards, shape (n, k), for a *matrix* of shape (n, features)."""
        return np.column_stack(
            [
                platt.log_odds(np.asarray(booster.predict(matrix, raw_score=True), dtype=np.float64))
                for booster, platt in zip(self.boosters, self.calibrations, strict=True)
            ]
        )

    def hazards(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated hazards of shape (n, k) for a float64 *matrix* of shape (n, features)."""
        return sigmoid(self.log_odds(matrix))

    def probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(event within each horizon), shape (n, k), never falling along k."""
        return composed(self.hazards(matrix))
