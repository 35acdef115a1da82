"""How much the margin of each interval counts in the reasons for one probability, so that reasons add up to it.

A head's probability P of the event by the scored horizon is made of K intervals. With z_k the calibrated margin of
interval k (the log-odds of its hazard) and b_k the same of the base, where every tree gives its expected value:

    H  = sum_k softplus(z_k),    P  = 1 - exp(-H),
    H0 = sum_k softplus(b_k),    P0 = 1 - exp(-H0).

TreeSHAP's contributions to margin k sum to z_k - b_k. They are weighted by

    w_k = (softplus(z_k) - softplus(b_k)) / (z_k - b_k) * (logit P - logit P0) / (H - H0),

two slopes of secants from the base to the row: of the cumulative hazard over the margin, and of the log-odds over the
cumulative hazard. Whatever the row, sum_k w_k (z_k - b_k) = logit P - logit P0. Where a secant shrinks to a point its
slope is the derivative, sigmoid(b_k) and 1 / P0. Both slopes are positive, so a reason keeps its direction.

Rise and run of a secant have one sign. So their magnitudes are divided, each no smaller than it is `SAME` away from
the base: what is nearer gets the derivative as the ratio of the two limits, and nothing is divided by zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.export.forest import Forest
    from training.heads.hazard import HazardHead

SMALLEST: Final = 1e-16
"""What a float64 sigmoid can tell from 0, and one minus it from 1; smaller numbers are taken as this, so log-odds
lie between -37 and 37."""
SAME: Final = 1e-6
"""Margins, and cumulative hazards in shares of the base's, that differ by less from the base have the slope of the
derivative: that of a secant would be made of rounding errors."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where contributions start from: what the intervals say of the mean over the training rows of every tree.

    Attributes:
        margins: Shape (K,), b_k, the calibrated margin of each interval up to the scored horizon.
    """

    margins: NDArray[np.float64]

    @property
    def hazards(self) -> NDArray[np.float64]:
        """Hazard of each interval, shape (K,)."""
        return sigmoid(self.margins)

    @property
    def log_stayed(self) -> NDArray[np.float64]:
        """Logarithm of one minus each hazard, shape (K,)."""
        return log_stayed(self.hazards)

    @property
    def cumulative_hazard(self) -> float:
        """The hazards' H0."""
        return float(-self.log_stayed.sum())

    @property
    def probability(self) -> float:
        """Probability of the event by the scored horizon, P0."""
        return float(composed(self.hazards[None])[0, 0])

    @property
    def log_odds(self) -> float:
        """Its log-odds: what all contributions are added to."""
        return float(np.log(max(self.probability, SMALLEST))) + self.cumulative_hazard

    @property
    def moves(self) -> NDArray[np.float64]:
        """What makes a row's `positions` moves from the base, added to them; shape (2 K + 2,)."""
        return -np.concatenate(
            [-self.log_stayed, self.margins, [self.log_odds, self.cumulative_hazard]], dtype=np.float64
        )

    @property
    def least_moves(self) -> NDArray[np.float64]:
        """The magnitude that moves have at least; above 0, shape (2 K + 2,)."""
        hazards = np.maximum(self.hazards, SMALLEST)
        total = max(self.cumulative_hazard, SMALLEST)
        ends = [total / max(self.probability, SMALLEST), total]
        return SAME * np.concatenate([hazards, np.ones(len(hazards)), ends])


def base_of(head: HazardHead, forest: Forest, shown: int) -> Base:
    """Return the base of the first *shown* intervals of *head*, whose trees are in *forest*."""
    expected = np.zeros(len(forest.boosters))
    for curve in forest.curves:
        expected += curve.expected
    for one in forest.trees:
        expected += one.uses * one.tree.expected_value
    return calibrated_base(head, expected[list(forest.intervals[head.name][:shown])])


def calibrated_base(head: HazardHead, expected: Sequence[float] | NDArray[np.float64]) -> Base:
    """Return the base where the margins of the first intervals of *head* are *expected*, before calibration.

    What a segment's own intercept adds is no part of the base; it counts as a contribution of the segment.
    """
    calibrations = head.calibrations[: len(expected)]
    return Base(
        np.array(
            [
                platt.slope * margin + platt.intercept
                for platt, margin in zip(calibrations, expected, strict=True)
            ]
        )
    )


def interval_weights(margins: NDArray[np.float64], base: Base) -> NDArray[np.float64]:
    """Return w_k of each row, shape (n, K); the graph does the same.

    Args:
        margins: Float64, shape (n, K), z_k.
        base: What the row is compared with.
    """
    count = margins.shape[1]
    far = np.maximum(np.abs(positions(margins) + base.moves), base.least_moves)
    rise, run = far[:, :count], far[:, count : 2 * count]
    return np.asarray(rise / run * (far[:, -2:-1] / far[:, -1:]), dtype=np.float64)


def positions(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cumulative hazard of each interval, its margin, the log-odds of P, and H; shape (n, 2 K + 2)."""
    hazards = sigmoid(margins)
    grown = -log_stayed(hazards)
    total = grown.sum(axis=1, keepdims=True)
    log_odds = np.log(np.maximum(composed(hazards), SMALLEST)) + total
    return np.hstack([grown, margins, log_odds, total])


def sigmoid(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return hazards of calibrated margins, for any margin without overflow."""
    small = np.exp(-np.abs(margins))
    return np.where(margins >= 0, 1.0, small) / (1.0 + small)


def log_stayed(hazards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(1 - h), which is -softplus of the margin."""
    return np.log(np.maximum(1.0 - hazards, SMALLEST))


def composed(hazards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P, shape (n, 1), of hazards of shape (n, K), as the graph composes it: small ones keep all digits."""
    probability = np.zeros((len(hazards), 1))
    for interval in range(hazards.shape[1]):
        probability += hazards[:, interval : interval + 1] * (1.0 - probability)
    return probability
