"""How often intervals hold what they should, against a known truth and where only outcomes are known.

An interval is of the probability that features can tell: of its error of estimation, not of what no feature says. An
outcome is 0 or 1 and no interval of a probability can hold it, so without a truth rows are grouped by predicted
probability. A group's observed rate should lie in the group's mean interval; that is easy to meet, since the errors of
single rows average out in a group and its mean is known better than any row. `group_residuals` therefore asks what can
fail: how far each group's rate lies from its mean probability, in standard errors of that difference. They are made of
the error that the intervals claim for the group's mean and of chance over its accounts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.heads.hazard import composed
from training.uncertainty.leaves import reached_leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.uncertainty.intervals import Uncertainty

GROUPS = 10
_DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class GroupCoverage:
    """Coverage by groups of rows.

    Attributes:
        groups: Number of groups.
        plain: Share of groups whose observed rate lies in their mean interval.
        with_sampling: The same with the interval widened by the binomial scatter of the group's rate.
        mean_width: Mean width of the intervals of all rows.
        nominal: What the share should be.
    """

    groups: int
    plain: float
    with_sampling: float
    mean_width: float
    nominal: float

    def to_dict(self) -> dict[str, float]:
        """Return the values by name, for the manifest."""
        return asdict(self)


def coverage_of_truth(
    truth: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> float:
    """Return the share of rows whose true probability lies in the interval; NaN without rows."""
    return float(np.mean((low <= truth) & (truth <= high))) if len(truth) else float("nan")


def coverage_by_group(
    probability: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    observed: NDArray[np.float64],
    *,
    z: float,
    groups: int = GROUPS,
    nominal: float = 0.9,
) -> GroupCoverage:
    """Return the coverage of groups of equal size, by predicted probability; all arrays have shape (n,).

    Args:
        probability: Predicted.
        low: Lower end.
        high: Upper end.
        observed: Outcomes of 0 and 1, or true probabilities.
        z: Standard errors that the interval reaches to either side.
        groups: How many groups, at least one.
        nominal: Nominal coverage.

    Raises:
        ValueError: There are fewer rows than groups.
    """
    plain, allowed = 0, 0
    for rows in _equal_groups(probability, groups):
        rate, mean = float(observed[rows].mean()), float(probability[rows].mean())
        bottom, top = float(low[rows].mean()), float(high[rows].mean())
        scatter = z**2 * mean * (1.0 - mean) / len(rows)
        plain += bottom <= rate <= top
        below, above = mean - bottom, top - mean
        allowed += mean - np.sqrt(below**2 + scatter) <= rate <= mean + np.sqrt(above**2 + scatter)
    return GroupCoverage(
        groups=groups,
        plain=plain / groups,
        with_sampling=float(allowed) / groups,
        mean_width=float((high - low).mean()),
        nominal=nominal,
    )


@dataclass(frozen=True, slots=True)
class GroupResiduals:
    """How far groups' rates lie from their mean probabilities, in standard errors.

    Attributes:
        groups: Number of groups.
        within: Share of groups that lie within the nominal reach.
        nominal: What that share should be.
        mean_square: Mean of the squared distances: 1 if intervals and probabilities are right, more if intervals are
            too narrow or probabilities wrong, less if intervals are too wide.
        least: Under right ones the mean square is less than this in 1 of 40 cases, as groups share errors,
        most: and more than this in 1 of 40.
        claimed_share: Mean share of the squared standard error that intervals claim; the rest is chance. Where it is
            small, the figures say more of the probabilities than of their intervals.
    """

    groups: int
    within: float
    nominal: float
    mean_square: float
    least: float
    most: float
    claimed_share: float

    def to_dict(self) -> dict[str, float]:
        """Return the values by name, for the manifest."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def group_residuals(
    probability: NDArray[np.float64],
    outcome: NDArray[np.float64],
    account_id: NDArray[np.object_],
    errors_of_mean: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    *,
    z: float,
    groups: int = GROUPS,
    nominal: float = 0.9,
    seed: int = 0,
) -> GroupResiduals:
    """Return how far the rates of groups of equal size lie from their mean probability.

    Chance over accounts is told by the spread of what they add to a group's difference, so that several rows of one
    account count as little as they say.

    Args:
        probability: Shape (n,), predicted.
        outcome: Shape (n,), 0 or 1.
        account_id: Shape (n,).
        errors_of_mean: Takes the rows of a group, returns the independent errors that intervals claim for their mean,
            shape (e,), each one standard deviation; the same ones move all groups, by different amounts.
        z: Standard errors that the nominal interval reaches to either side.
        groups: How many groups, at least one.
        nominal: Nominal coverage.
        seed: Of the draws that tell which mean squares are usual.

    Raises:
        ValueError: There are fewer rows than groups.
    """
    distances, claimed, shares, rest = [], [], [], []
    for rows in _equal_groups(probability, groups):
        difference = outcome[rows] - probability[rows]
        _, account = np.unique(account_id[rows].astype(str), return_inverse=True)
        by_account = np.bincount(account, weights=difference - difference.mean())
        expected = float((probability[rows] * (1.0 - probability[rows])).sum())
        # Where hardly any event came by chance, the spread seen says too little: at least that of independent rows.
        chance = max(float((by_account**2).sum()), expected) / len(rows) ** 2
        errors = errors_of_mean(rows)
        own = float((errors**2).sum())
        whole = max(own + chance, 1e-300)
        distances.append(float(difference.mean()) ** 2 / whole)
        claimed.append(own / whole)
        shares.append(errors / np.sqrt(whole))
        rest.append(np.sqrt(chance / whole))
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(_DRAWS, len(shares[0]))) @ np.array(shares).T
    drawn = shared + generator.normal(size=(_DRAWS, groups)) * np.array(rest)
    least, most = np.quantile((drawn**2).mean(axis=1), [0.025, 0.975])
    return GroupResiduals(
        groups=groups,
        within=float(np.mean(np.array(distances) <= z**2)),
        nominal=nominal,
        mean_square=float(np.mean(distances)),
        least=float(least),
        most=float(most),
        claimed_share=float(np.mean(claimed)),
    )


def mean_errors(
    sure: Uncertainty, matrix: NDArray[np.float64]
) -> Callable[[NDArray[np.intp], int], NDArray[np.float64]]:
    """Return what tells the errors of the mean probability of some rows, by one horizon: factors, then the level.

    The rows' errors are averaged factor by factor, so that what trees say of some accounts and not of others averages
    out, and what is common to all rows (the floor) stays. To first order, `dP_k / dz_j = (1 - P_k) h_j` for j up to k.

    Args:
        sure: How sure a head is.
        matrix: Shape (n, features).
    """
    hazards = sure.head.hazards(matrix)
    probability = composed(hazards)
    deviations = []
    for index, booster in enumerate(sure.head.boosters):
        reached = reached_leaves(booster, sure.plans[index], matrix)
        total = np.zeros((len(matrix), sure.factors[index].shape[1]))
        for tree in range(reached.shape[1]):
            total += sure.factors[index][reached[:, tree]]
        deviations.append(total * sure.scale[index] * sure.head.calibrations[index].slope)

    def of_rows(rows: NDArray[np.intp], horizon: int) -> NDArray[np.float64]:
        moved = np.zeros(deviations[0].shape[1])
        level = 0.0
        for interval in range(horizon + 1):
            weight = (1.0 - probability[rows, horizon]) * hazards[rows, interval]
            moved += (weight[:, None] * deviations[interval][rows]).mean(axis=0)
            level += float(weight.mean()) * sure.floor[interval]
        return np.append(moved, level)

    return of_rows


def _equal_groups(probability: NDArray[np.float64], groups: int) -> list[NDArray[np.intp]]:
    """Return the rows of groups of equal size, by rising probability."""
    if len(probability) < groups:
        raise ValueError(f"{len(probability)} rows can't make {groups} groups")
    return np.array_split(np.argsort(probability, kind="stable"), groups)
