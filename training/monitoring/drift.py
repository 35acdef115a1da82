"""How far the features of now lie from those that a bundle was judged on: the population stability index (PSI).

PSI is the sum over bins of (now - before) * ln(now / before) of the bins' shares. Without any drift it is above 0 all
the same, about (bins - 1) * (1 / n + 1 / m) for n and m accounts, and follows a chi-squared distribution on that scale
(Yurdakul & Naranjo 2020). A feature counts as drifted only above what that noise explains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 10
CONFIDENCE = 0.95
_HALF_A_ROW = 0.5
"""Added to every bin's count, so that an empty one has a logarithm."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one feature has moved.

    Attributes:
        feature: Its name.
        psi: Population stability index.
        noise: What the index stays below without drift, in 95 % of cases for all features together.
        missing_before: Share of missing values then.
        missing_now: The same now.
    """

    feature: str
    psi: float
    noise: float
    missing_before: float
    missing_now: float

    def beyond(self, limit: float) -> bool:
        """Return whether it moved further than *limit*, and than noise explains."""
        return self.psi > max(limit, self.noise)

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        figures = ("psi", "noise", "missing_before", "missing_now")
        return {"feature": self.feature, **{name: round(getattr(self, name), 6) for name in figures}}


def feature_drift(
    names: Sequence[str],
    before: NDArray[np.float64],
    now: NDArray[np.float64],
    *,
    accounts_before: int,
    accounts_now: int,
) -> tuple[FeatureDrift, ...]:
    """Return the drift of every feature, largest first.

    Args:
        names: Of f features.
        before: Shape (n, f), missing is NaN.
        now: Shape (m, f), missing is NaN.
        accounts_before: Accounts among the n rows: rows of one account resemble one another, so that noise is told from
            accounts.
        accounts_now: Accounts among the m rows.

    Raises:
        ValueError: There are no rows on one side.
    """
    if not len(before) or not len(now):
        raise ValueError(f"drift needs rows on both sides; there are {len(before)} and {len(now)}")
    scale = 1 / accounts_before + 1 / accounts_now
    found = []
    for column, name in enumerate(names):
        old, new = before[:, column], now[:, column]
        counts = np.stack(bin_counts(old, new)).astype(np.float64)
        bins = counts.shape[1]
        noise = chi2.ppf(1 - (1 - CONFIDENCE) / len(names), bins - 1) * scale if bins > 1 else 0.0
        found.append(
            FeatureDrift(
                feature=name,
                psi=population_stability_index(counts[0], counts[1]),
                noise=float(noise),
                missing_before=float(np.isnan(old).mean()),
                missing_now=float(np.isnan(new).mean()),
            )
        )
    return tuple(sorted(found, key=lambda one: -one.psi))


def population_stability_index(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the index of two vectors of counts of the same bins; half a row is added to each.

    Args:
        before: Shape (bins,).
        now: Shape (bins,).
    """
    old, new = before + _HALF_A_ROW, now + _HALF_A_ROW
    old, new = old / old.sum(), new / new.sum()
    return float(((new - old) * np.log(new / old)).sum())


def bin_counts(
    before: NDArray[np.float64], now: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return counts in the bins that *before* sets, of *before* and of *now*; bins empty on both sides are left out.

    Bins are deciles, or single values where there are at most ten; then what none of them is has one bin. Missing
    values have one of their own.

    Args:
        before: Shape (n,), missing is NaN.
        now: Shape (m,), missing is NaN.
    """
    told = before[~np.isnan(before)]
    values = np.unique(told)
    if len(values) <= BINS:
        edges = None
        last = len(values)
    else:
        edges = np.unique(np.quantile(told, np.arange(1, BINS) / BINS))
        last = len(edges) + 1

    def counts(column: NDArray[np.float64]) -> NDArray[np.intp]:
        if edges is not None:
            of_row = np.searchsorted(edges, column, side="left")
        elif len(values):
            nearest = np.minimum(np.searchsorted(values, column), len(values) - 1)
            of_row = np.where(values[nearest] == column, nearest, last)
        else:
            of_row = np.full(len(column), last)
        return np.bincount(np.where(np.isnan(column), last + 1, of_row), minlength=last + 2)

    old, new = counts(before), counts(now)
    used = (old + new) > 0
    return old[used], new[used]
