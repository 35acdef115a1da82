"""Reliability: do events happen as often as they were said to? Curves, calibration error, and score bands.

Bins hold equally many rows (equal probabilities stay together), since probabilities of rare events crowd near zero.
The interval of a bin's event rate is Wilson's (1927) with as many observations as the bin has accounts, as several rows
of one account say hardly more than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap, Estimate

BINS = 10
SCORE_BAND = 10
_Z = 1.959964
_TOP = 100


@dataclass(frozen=True, slots=True)
class Bins:
    """A division of n rows.

    Attributes:
        of_row: Shape (n,): the bin of each row.
        count: Number of bins; none of them is empty.
    """

    of_row: NDArray[np.intp]
    count: int

    def indicator(self) -> NDArray[np.float64]:
        """Return a matrix of shape (n, count) with a one where a row lies in a bin."""
        return np.eye(self.count)[self.of_row]


def equal_count_bins(probability: NDArray[np.float64], bins: int = BINS) -> Bins:
    """Divide rows into at most *bins* bins of about equally many rows, equal probabilities together."""
    if not len(probability):
        return Bins(np.empty(0, dtype=np.intp), 0)
    inner = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(probability, inner, method="inverted_cdf"))
    raw = np.searchsorted(edges, probability, side="left")
    _, of_row = np.unique(raw, return_inverse=True)
    return Bins(of_row.astype(np.intp), int(of_row.max()) + 1)


def wilson(events: float, observations: float) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927), given a number of observations that need not be whole."""
    if observations <= 0:
        return 0.0, 1.0
    share = events / observations
    spread = _Z**2 / observations
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * np.sqrt(share * (1 - share) / observations + spread / (4 * observations))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def reliability_curve(
    account_id: NDArray[np.object_],
    label: NDArray[np.float64],
    probability: NDArray[np.float64],
    bins: Bins,
) -> list[dict[str, float]]:
    """Return a point a bin: `rows`, `accounts`, `predicted` (mean), `observed` (event rate), `low`, `high`."""
    points = []
    for number in range(bins.count):
        here = bins.of_row == number
        rows, accounts = int(here.sum()), len(set(account_id[here].tolist()))
        observed = float(label[here].mean())
        low, high = wilson(observed * accounts, accounts)
        points.append(
            {
                "rows": rows,
                "accounts": accounts,
                "predicted": round(float(probability[here].mean()), 6),
                "observed": round(observed, 6),
                "low": round(low, 6),
                "high": round(high, 6),
            }
        )
    return points


def calibration_error(
    bootstrap: AccountBootstrap, label: NDArray[np.float64], probability: NDArray[np.float64], bins: Bins
) -> dict[str, Estimate]:
    """Return the expected calibration error: the mean distance of predicted and observed over bins.

    Noise alone puts bins off, so the plain figure (`expected_calibration_error`, Naeini et al. 2015) is above zero
    for a perfect model. `expected_calibration_error_debiased` takes off much of what noise adds (about half for a
    perfect model), as Kumar, Liang and Ma 2019 ("Verified uncertainty calibration", appendix) do: were each bin's
    gap g drawn anew as Normal(g, s), the error would rise by so much; s is the spread of the gap over resamples of
    accounts. It may fall under zero, which says that no miscalibration can be seen. A resample carries that noise
    once more than the rows do, which is taken off its figure before intervals are read.

    Args:
        bootstrap: Resamples of the accounts of the n rows.
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        bins: Division of the rows.
    """
    inside = bins.indicator()
    sums = bootstrap.sums(np.column_stack([inside, inside * (probability - label)[:, None]]))
    rows, gaps = sums[:, : bins.count], sums[:, bins.count :]
    total = rows.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = np.abs(gaps).sum(axis=1) / total
        each = np.where(rows > 0, gaps / rows, 0.0)
    share = rows[0] / total[0]
    spread = each[1:].std(axis=0)
    added = share @ (_folded_mean(each[0], spread) - np.abs(each[0]))
    return {
        "expected_calibration_error": bootstrap.summarise(
            np.concatenate([plain[:1], np.maximum(0.0, plain[1:] - added)])
        ),
        "expected_calibration_error_debiased": bootstrap.summarise(
            np.concatenate([[plain[0] - added], plain[1:] - 2 * added])
        ),
    }


def score_bands(
    account_id: NDArray[np.object_], label: NDArray[np.float64], probability: NDArray[np.float64]
) -> list[dict[str, float]]:
    """Return, per ten points of the score (probability times 100, rounded), the mean score and the share of events.

    A point has `from` and `to` (scores, inclusive) besides what `reliability_curve` gives.
    """
    score = np.rint(probability * _TOP).astype(np.intp)
    band = np.minimum(score // SCORE_BAND, _TOP // SCORE_BAND - 1)
    present, of_row = np.unique(band, return_inverse=True)
    curve = reliability_curve(account_id, label, probability, Bins(of_row.astype(np.intp), len(present)))
    top = int(present[-1]) if len(present) else 0
    return [
        {
            "from": int(start) * SCORE_BAND,
            "to": _TOP
            if start == top == _TOP // SCORE_BAND - 1
            else int(start) * SCORE_BAND + SCORE_BAND - 1,
            **point,
        }
        for start, point in zip(present, curve, strict=True)
    ]


def _folded_mean(gap: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return E|X| of X ~ Normal(gap, spread)."""
    safe = np.where(spread > 0, spread, 1.0)
    mean = safe * np.sqrt(2 / np.pi) * np.exp(-(gap**2) / (2 * safe**2)) + gap * (1 - 2 * ndtr(-gap / safe))
    return np.where(spread > 0, mean, np.abs(gap))
