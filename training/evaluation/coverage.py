"""How often intervals hold what they should, against a known truth and where only outcomes are known.

An outcome is 0 or 1 and no interval of a probability can hold it, so without a truth rows are grouped by predicted
probability: a group's observed rate should lie in the group's mean interval as often as the interval is nominal. A
group of finite size scatters by itself; both the plain share and the one that allows for that scatter are told.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUPS = 10


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
    if len(probability) < groups:
        raise ValueError(f"{len(probability)} rows can't make {groups} groups")
    plain, allowed = 0, 0
    for rows in np.array_split(np.argsort(probability, kind="stable"), groups):
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
