"""Whether an estimated uplift of 3 points is one: estimates against observed effects, in bins of the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.evaluation.uplift_curves import UpliftRows, uplift_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_FOR_DECILES = 20_000
ROWS_FOR_FIVE = 5_000


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Accounts with neighbouring estimates.

    Attributes:
        rows: How many there are.
        estimated: Mean estimate.
        observed: Effect seen among them, by inverse-propensity weights, with its interval.
    """

    rows: int
    estimated: float
    observed: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Return the bin for JSON."""
        return {"rows": self.rows, "estimated": round(self.estimated, 6), "observed": self.observed.as_dict()}


def bins_for(rows: int) -> int:
    """Return how many bins so many rows can bear: 10 from 20,000, 5 from 5,000, else 3.

    An effect is a difference of two means and needs far more rows than a rate; with fewer rows a bin, observed effects
    are noise.
    """
    if rows >= ROWS_FOR_DECILES:
        return 10
    return 5 if rows >= ROWS_FOR_FIVE else 3


def calibration_bins(
    rows: UpliftRows,
    estimate: NDArray[np.float64],
    *,
    bins: int | None = None,
    samples: int,
    seed: int,
) -> tuple[CalibrationBin, ...]:
    """Return estimated against observed uplift in bins of about equally many rows, lowest estimates first.

    Equal estimates stay together, so that there may be fewer bins than asked for.

    Args:
        rows: n draws between an action and nothing.
        estimate: Shape (n,), estimated effect of the action, of a model that did not see the rows.
        bins: Number of bins; `bins_for` if None.
        samples: Resamples of the accounts within each bin.
        seed: Seed of the resampling.
    """
    count = bins or bins_for(len(estimate))
    edges = np.unique(np.quantile(estimate, np.arange(1, count) / count))
    bin_of = np.searchsorted(edges, estimate, side="left")
    found = []
    for number in np.unique(bin_of):
        inside = np.flatnonzero(bin_of == number)
        part = UpliftRows(
            rows.account_id[inside], rows.treated[inside], rows.chance[inside], rows.outcome[inside]
        )
        flat = np.zeros(len(inside))
        bootstrap = AccountBootstrap(part.account_id, samples=samples, seed=seed)
        observed = bootstrap.estimate(
            lambda weight, part=part, flat=flat: uplift_at(part, flat, 1.0, weight)  # type: ignore[misc]
        )
        found.append(CalibrationBin(len(inside), float(estimate[inside].mean()), observed))
    return tuple(found)


def calibration_error(bins: tuple[CalibrationBin, ...]) -> float:
    """Return the mean distance of estimated from observed uplift over bins, weighted by rows; NaN if none is known."""
    known = [one for one in bins if np.isfinite(one.observed.value)]
    if not known:
        return float("nan")
    gaps = [abs(one.estimated - one.observed.value) for one in known]
    return float(np.average(gaps, weights=[one.rows for one in known]))
