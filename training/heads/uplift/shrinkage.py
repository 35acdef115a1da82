"""Empirical Bayes: declared priors and what the draws say, each weighed by how sure it is.

Two things are shrunk. The average effect of an action moves from its declared prior to what was measured, as draws
accumulate. And what a learner says about single accounts counts only as far as later draws bore it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.special import log_ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VARIATION = 3.0
"""Largest coefficient of variation that is believed of a baseline: beyond it a few accounts decide."""

_HALF = 0.5
_CHANCE = 1.2
"""Expected outcomes up to here are chances; boosted trees go a little beyond 1."""

Scale: TypeAlias = Literal["absolute", "churn_probability"]


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of an action before any draw of it is known.

    Attributes:
        mean: Expected effect, in units of the scale.
        sd: Its standard deviation, above 0: how sure the belief is.
        scale: `absolute`: a change of probability, alike for all accounts. `churn_probability`: a relative reduction of
            churn, so that an account's change is the effect times its probability of leaving without the action.
    """

    mean: float
    sd: float
    scale: Scale = "absolute"

    def __post_init__(self) -> None:
        if self.sd <= 0:
            raise ValueError(f"a prior's sd is {self.sd}; it must be above 0, or no data could ever move it")

    def units(self, rows: int, churn_probability: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return what an effect of 1 in this scale is for each of *rows* accounts, shape (rows,).

        Raises:
            ValueError: The scale is `churn_probability` and none is given.
        """
        if self.scale == "absolute":
            return np.ones(rows)
        if churn_probability is None:
            raise ValueError("a prior relative to churn needs the churn probability of every row")
        return churn_probability


SCEPTICAL = Prior(mean=0.0, sd=0.02)
"""For an action whose prior nobody declared: most likely nothing, rarely more than 4 points."""


@dataclass(frozen=True, slots=True)
class Average:
    """An average effect with its standard error, in units of the prior's scale."""

    mean: float
    sd: float


def measured_average(
    pseudo_effect: NDArray[np.float64], units: NDArray[np.float64], account_id: NDArray[np.object_]
) -> Average:
    """Return the average effect per unit, `sum(pseudo_effect) / sum(units)`, and its standard error.

    The standard error takes the draws of one account together (cluster-robust, Liang and Zeger, 1986, of a ratio).

    Args:
        pseudo_effect: Shape (n,), unbiased values of each draw's effect.
        units: Shape (n,), from `Prior.units`.
        account_id: Shape (n,), object.
    """
    total = float(units.sum())
    mean = float(pseudo_effect.sum()) / total
    _, of_row = np.unique(account_id.astype(str), return_inverse=True)
    per_account = np.bincount(of_row, weights=pseudo_effect - mean * units)
    accounts = len(per_account)
    spread = float(np.sum(per_account**2)) * accounts / max(1, accounts - 1)
    return Average(mean, float(np.sqrt(spread)) / total)


def posterior(prior: Prior, measured: Average | None) -> tuple[Average, float]:
    """Return the average effect after both the prior and the draws, and the weight w of the draws.

    Normal-normal: `w = v / (v + s^2)` with the prior's variance v and the measured standard error s; the mean is
    `(1 - w) prior + w measured`, its standard deviation `sqrt(w) s` (Morris, 1983, "Parametric empirical Bayes
    inference"). Without draws w is 0 and the prior stands alone.
    """
    if measured is None or not np.isfinite(measured.sd):
        return Average(prior.mean, prior.sd), 0.0
    weight = prior.sd**2 / (prior.sd**2 + measured.sd**2)
    return (
        Average((1.0 - weight) * prior.mean + weight * measured.mean, float(np.sqrt(weight)) * measured.sd),
        weight,
    )


def between_accounts(average: Average, baseline: NDArray[np.float64]) -> float:
    """Return the standard deviation of single accounts' effects around their average, if effects follow the baseline.

    Draws of others tell an average, and a single account may be far from it. If an action changes everybody's outcome
    by the same share r of what it would be without the action, effects vary as baselines do: with the coefficient of
    variation c of the baseline, `sd = c * sqrt(E[average^2])`, where the expectation has both the mean of the average
    and its error. For an outcome that most accounts have, the baseline is the chance of not having it.

    Args:
        average: After prior and draws.
        baseline: Shape (n,), expected outcome of each draw's account without the action.
    """
    common = float(baseline.mean()) > _HALF and float(baseline.max()) <= _CHANCE
    rarer = np.maximum(1.0 - baseline if common else baseline, 0.0)
    mean = float(rarer.mean())
    if mean <= 0:
        return 0.0
    variation = min(float(rarer.std()) / mean, MOST_VARIATION)
    return float(variation * np.hypot(average.mean, average.sd))


SLOPE_PRIOR_MEAN = 0.25
"""Of an exponential distribution: most trees are mostly noise, some tell the truth, none tells its opposite."""
LEAST_SLOPE = 0.02
"""Differences that count by less are dropped: trees that are surely noise need not be carried along."""
MOST_SLOPE = 1.5
SURELY_WRONG = 2.0
"""Standard errors below zero from where a slope is no accident: the differences are wrong, and none is used."""
_FAR_LEFT = -30.0


@dataclass(frozen=True, slots=True)
class Slope:
    """How much of a learner's differences between accounts came true on later draws.

    Attributes:
        raw: Regression of pseudo-effects on the differences: 1 if they are right, 0 if they are noise.
        sd: Its standard error, accounts taken together.
    """

    raw: float
    sd: float

    @property
    def shrunk(self) -> float:
        """The slope that is used: the mean of the posterior, and 0 where that is below `LEAST_SLOPE`.

        Before they are tried a learner's differences are believed by a quarter, and never the other way round
        (`SLOPE_PRIOR_MEAN`). So a slope that came out below zero by chance still leaves a little, and with it the order
        of accounts, which a small weight costs nothing; how far accounts are told apart falls with it. One that is
        `SURELY_WRONG` standard errors below zero contradicts that belief, and nothing is left of the differences. The
        tail of the prior is long: a sure slope is used nearly as it is, and as regularised trees say too little rather
        than too much, it may pass 1. With prior mean p the posterior is a normal distribution of mean
        `m = raw - sd^2 / p` and deviation sd, cut off at zero; its mean is `m + sd pdf(m / sd) / cdf(m / sd)` (Johnson,
        Kotz and Balakrishnan, 1994, section 13.10.1).
        """
        if not (np.isfinite(self.raw) and np.isfinite(self.sd)):
            return 0.0
        if self.sd <= 0:
            return float(np.clip(self.raw, 0.0, MOST_SLOPE))
        if self.raw < -SURELY_WRONG * self.sd:
            return 0.0
        mean = self.raw - self.sd**2 / SLOPE_PRIOR_MEAN
        at = mean / self.sd
        hazard = float(np.exp(-0.5 * at**2 - log_ndtr(at))) / float(np.sqrt(2.0 * np.pi))
        # Far out on the left pdf / cdf is near -at, and their sum is what is left of two large numbers.
        believed = mean + self.sd * hazard if at > _FAR_LEFT else -self.sd / at
        return 0.0 if believed < LEAST_SLOPE else float(min(MOST_SLOPE, believed))


def held_out_slope(
    pseudo_effect: NDArray[np.float64],
    difference: NDArray[np.float64],
    weight: NDArray[np.float64],
    account_id: NDArray[np.object_],
) -> Slope:
    """Return the weighted least-squares slope of pseudo-effects on a learner's differences between accounts.

    The best linear projection of the true effect on an estimate (Chernozhukov et al., 2018, "Generic machine learning
    inference on heterogeneous treatment effects"), with a cluster-robust standard error.

    Args:
        pseudo_effect: Shape (n,), of draws that the learner has not seen.
        difference: Shape (n,), what it says of each beyond the average.
        weight: Shape (n,), what a draw tells.
        account_id: Shape (n,), object.
    """
    total = float(weight.sum())
    if not total:
        return Slope(0.0, float("inf"))
    centred = difference - float(weight @ difference) / total
    square = float(weight @ centred**2)
    if square <= 1e-18 * total:
        return Slope(0.0, float("inf"))
    mean = float(weight @ pseudo_effect) / total
    raw = float(weight @ (centred * pseudo_effect)) / square
    residual = pseudo_effect - mean - raw * centred
    _, of_row = np.unique(account_id.astype(str), return_inverse=True)
    scores = np.bincount(of_row, weights=weight * centred * residual)
    accounts = len(scores)
    spread = float(np.sum(scores**2)) * accounts / max(1, accounts - 1)
    return Slope(raw, float(np.sqrt(spread)) / square)
