"""Whether an estimated uplift of 3 points is one: estimates against observed effects, in bins of the estimate.

The mean distance of the two is never zero, however right the estimates are: observed effects are noisy. So it stands
beside what noise alone would make of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap, Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.uplift_curves import UpliftRows

ROWS_FOR_DECILES = 500
ROWS_FOR_FIVE = 250


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


@dataclass(frozen=True, slots=True)
class UpliftCalibration:
    """Estimated against observed uplift.

    Attributes:
        bins: Lowest estimates first.
        error: Mean distance of estimated from observed over the bins, weighted by rows; NaN if none is known.
        error_if_perfect: What that distance would be by the noise of the observed effects alone, if every estimate were
            right: its mean, and the central 95 % of it.
    """

    bins: tuple[CalibrationBin, ...]
    error: float
    error_if_perfect: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        error = round(self.error, 6) if np.isfinite(self.error) else None
        return {
            "bins": [one.as_dict() for one in self.bins],
            "error": error,
            "error_if_perfect": self.error_if_perfect.as_dict(),
            "beyond_noise": bool(self.error > self.error_if_perfect.high),
        }


def bins_for(rows: int) -> int:
    """Return how many bins so many rows have: 10 from 500, 5 from 250, else 3.

    An effect is a difference of two means and needs far more rows than a rate. With a few dozen rows a bin, observed
    effects are mostly noise: their intervals say so, and `error_if_perfect` says what it does to the error.
    """
    if rows >= ROWS_FOR_DECILES:
        return 10
    return 5 if rows >= ROWS_FOR_FIVE else 3


def uplift_calibration(
    rows: UpliftRows,
    estimate: NDArray[np.float64],
    *,
    bins: int | None = None,
    samples: int,
    seed: int,
) -> UpliftCalibration:
    """Return estimated against observed uplift in bins of about equally many rows, lowest estimates first.

    Equal estimates stay together, so that there may be fewer bins than asked for. Bins stay as they are in all
    resamples; how far a resample's observed effects stray from those of the rows as they are is what noise does.

    Args:
        rows: n draws between an action and nothing.
        estimate: Shape (n,), estimated effect of the action, of a model that did not see the rows.
        bins: Number of bins; `bins_for` if None.
        samples: Resamples of the accounts.
        seed: Seed of the resampling.
    """
    count = bins or bins_for(len(estimate))
    edges = np.unique(np.quantile(estimate, np.arange(1, count) / count))
    _, bin_of = np.unique(np.searchsorted(edges, estimate, side="left"), return_inverse=True)
    size = np.bincount(bin_of)
    estimated = np.bincount(bin_of, weights=estimate) / size
    bootstrap = AccountBootstrap(rows.account_id, samples=samples, seed=seed)
    seen = _observed(rows, bin_of, bootstrap)
    known = np.isfinite(seen[0])
    if not known.any():
        error, noise = float("nan"), Estimate(float("nan"), float("nan"), float("nan"))
    else:
        share = size[known] / size[known].sum()
        error = float(share @ np.abs(seen[0, known] - estimated[known]))
        strayed = np.abs(seen[1:, known] - seen[0, known]) @ share
        strayed = strayed[np.isfinite(strayed)]
        mean = float(strayed.mean()) if len(strayed) else float("nan")
        noise = bootstrap.summarise(np.append(mean, strayed))
    found = tuple(
        CalibrationBin(int(size[number]), float(estimated[number]), bootstrap.summarise(seen[:, number]))
        for number in range(len(size))
    )
    return UpliftCalibration(found, error, noise)


def _observed(rows: UpliftRows, bin_of: NDArray[np.intp], bootstrap: AccountBootstrap) -> NDArray[np.float64]:
    """Return the effect seen in each bin, of the rows as they are and of each resample; NaN where an arm is absent."""
    inside = np.eye(int(bin_of.max()) + 1)[bin_of]
    inverse = rows.inverse_chance
    means = []
    for arm in (rows.treated, ~rows.treated):
        weight = bootstrap.sums(inside * (arm * inverse)[:, None])
        outcome = bootstrap.sums(inside * (arm * inverse * rows.outcome)[:, None])
        means.append(np.divide(outcome, weight, out=np.full_like(outcome, np.nan), where=weight > 0))
    return np.asarray(means[0] - means[1], dtype=np.float64)
