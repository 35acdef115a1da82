"""An uplift head: what one action changes in one outcome, account by account, with a standard error.

With b bags of trees, raw_i(x) their effects, raw(x) and s(x) the mean and the standard deviation over the bags (with
b - 1 below the line), and u(x) the unit of the prior's scale (1, or the account's probability of churn within the
outcome window):

    mean(x)           = average * u(x) + slope * (raw(x) - raw_average * u(x))
    standard_error(x) = sqrt((average_sd * u(x))^2 + slope * s(x)^2)

The first term is a normal-normal posterior between the action's declared prior and its draws; the second is what the
trees say of an account beyond that, counted as far as it came true out of fold (see
`training.heads.uplift.shrinkage`). A difference of noise variance s^2 that counts by `slope` has posterior variance
`slope * s^2`. The standard error is that of a single account's effect: `average_sd` holds both the error of the average
and how far accounts stand around it that the head can't tell apart (`training.heads.uplift.fitting`). The error of the
mean over accounts that look alike is smaller (`UpliftHead.errors_of_mean`), and is what a bundle's graph gives:
decisions are taken for many accounts that look alike, and how far those stand apart averages out over them, as it does
over a declared prior. A head without bags is its average alone, which for a new action is its prior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.heads.uplift.learners import Bag
    from training.heads.uplift.shrinkage import Prior


@dataclass(frozen=True, slots=True)
class UpliftHead:
    """The effect of one action on one outcome.

    Attributes:
        action: As in the table `treatments`.
        outcome: `retained`, `expanded` or `returned`; the effect is a change of its probability within the window.
        learner: `dr`, `x`, `t` or `s`; `none` for a head without bags.
        bags: Trees; empty where accounts can't be told apart (then `slope` is 0).
        prior: What was declared; its scale is that of the averages.
        average: Average effect per unit after prior and draws.
        average_sd: Standard deviation, per unit, of a single account's effect around it.
        raw_average: Average of the bags' effect per unit over the draws.
        slope: Weight of what the trees say of single accounts; 0 if they say nothing, above 1 if they say too little.
        error_of_average: Standard deviation, per unit, of the average alone; None where that is all of `average_sd`.
    """

    action: str
    outcome: str
    learner: str
    bags: tuple[Bag, ...]
    prior: Prior
    average: float
    average_sd: float
    raw_average: float = 0.0
    slope: float = 0.0
    error_of_average: float | None = None

    @classmethod
    def from_prior(cls, action: str, outcome: str, prior: Prior) -> UpliftHead:
        """Return the head of an action that nobody has taken yet."""
        return cls(action, outcome, "none", (), prior, prior.mean, prior.sd)

    def effects(
        self, matrix: NDArray[np.float64], churn_probability: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return effect and standard error of each account, shape (n,) each.

        Args:
            matrix: Shape (n, f).
            churn_probability: Shape (n,), of the outcome window; only a prior relative to churn needs it.
        """
        unit = self.prior.units(len(matrix), churn_probability)
        mean, variance = self.average * unit, (self.average_sd * unit) ** 2
        if self.bags:
            raw, spread = raw_effects(self.bags, matrix)
            mean = mean + self.slope * (raw - self.raw_average * unit)
            variance = variance + self.slope * spread**2
        return mean, np.sqrt(variance)

    def errors_of_mean(
        self, matrix: NDArray[np.float64], churn_probability: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the standard error of the mean effect over accounts that look alike, shape (n,).

        What is left out of that of `effects` is how far such accounts stand apart.

        Args:
            matrix: Shape (n, f).
            churn_probability: As for `effects`.
        """
        return replace(self, average_sd=self.error_per_unit).effects(matrix, churn_probability)[1]

    @property
    def error_per_unit(self) -> float:
        """Standard deviation, per unit, of the average alone."""
        return self.average_sd if self.error_of_average is None else self.error_of_average


def raw_effects(
    bags: tuple[Bag, ...], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation over *bags* of the effect on each row, shape (n,) each, not shrunk."""
    each = np.stack([bag.effect(matrix) for bag in bags])
    return each.mean(axis=0), each.std(axis=0, ddof=1)
