"""The interval of each probability, as a value: factors per leaf, a scale and a floor per hazard interval.

The margin of hazard interval j has the standard error `s_j = sqrt(g_j**2 * sum_c (sum_t A[leaf_t, c])**2 + f_j**2)`
in log-odds after calibration: A holds `rank` numbers a leaf (the bootstrap's deviations, rotated so that a few columns
hold nearly all of them), g_j is the scale times the slope of the calibration, f_j is what does
not depend on the row: calibration, drift, and the part of the spread that leaves do not tell.
Hazards are moved by `-z s_j` and `+z s_j` together and composed as usual, which takes their errors as wholly
correlated: the interval contains the probability, stays within 0 and 1, and never falls along horizons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.heads.hazard import composed, sigmoid
from training.uncertainty.leaves import reached_leaves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.heads.hazard import HazardHead
    from training.uncertainty.leaves import TreePlan


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How sure *head* is; k intervals.

    Attributes:
        head: The head.
        plans: Per interval, the plan of its trees, which numbers the leaves.
        factors: Per interval, shape (leaves, rank), leaves numbered through the booster's trees in order; intervals
            that share a booster share the array.
        scale: Per interval, by how much the spread over resamples is widened.
        floor: Per interval, standard error in log-odds that is the same for all rows: calibration, drift, other splits.
        z: How many standard errors the interval reaches to either side.
        explained: Share of the bootstrap's variance that the factors hold.
    """

    head: HazardHead
    plans: tuple[TreePlan, ...]
    factors: tuple[NDArray[np.float64], ...]
    scale: tuple[float, ...]
    floor: tuple[float, ...]
    z: float
    explained: float

    def standard_errors(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard error of each calibrated log-odds, shape (n, k)."""
        columns = []
        for index, booster in enumerate(self.head.boosters):
            reached = reached_leaves(booster, self.plans[index], matrix)
            total = np.zeros((len(matrix), self.factors[index].shape[1]))
            for tree in range(reached.shape[1]):
                total += self.factors[index][reached[:, tree]]
            widened = self.scale[index] * self.head.calibrations[index].slope
            columns.append(np.sqrt(widened**2 * (total**2).sum(axis=1) + self.floor[index] ** 2))
        return np.column_stack(columns)

    def interval(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and the upper end for each horizon, shape (n, k) each.

        Args:
            matrix: Float64, shape (n, features).
        """
        log_odds = self.head.log_odds(matrix)
        reach = self.z * self.standard_errors(matrix)
        return composed(sigmoid(log_odds - reach)), composed(sigmoid(log_odds + reach))
