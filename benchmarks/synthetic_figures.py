"""How right and how sure estimated effects are, held against the true effects of a simulation of few futures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import spearmanr

from benchmarks.synthetic_policies import Z_90

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.synthetic_estimates import Estimates

_ALIKE: Final = 1e-12
"""Effects that differ by less are one value, up to rounding."""
_GROUPS: Final = 5


def rank(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation; NaN where one value is said of all."""
    return float("nan") if np.ptp(estimate) < _ALIKE else float(spearmanr(estimate, truth).statistic)


def covered(one: Estimates, halves: NDArray[np.float64], action: int, size: NDArray[np.float64]) -> float:
    """Return the share of accounts whose true effect the 90 % interval holds, the noise of the futures taken off.

    A truth of few futures strays from what is true. In each of five groups of accounts by how likely they are to leave
    or to expand, true effects are drawn towards their mean until their variance is the covariance of the two halves.

    Args:
        one: Of m draws.
        halves: Shape (2, m, K), truth by either half of the futures.
        action: 0 to K - 1.
        size: Shape (m,), by which groups are made.
    """
    first, second = halves[:, :, action]
    truth = 0.5 * (first + second)
    group = np.searchsorted(np.quantile(size, np.arange(1, _GROUPS) / _GROUPS), size)
    for number in range(_GROUPS):
        inside = group == number
        covariance = float(np.cov(first[inside], second[inside])[0, 1])
        variance = float(truth[inside].var(ddof=1))
        kept = np.sqrt(max(0.0, covariance) / variance) if variance > 0 else 0.0
        truth[inside] = truth[inside].mean() + kept * (truth[inside] - truth[inside].mean())
    return float(np.mean(np.abs(one.effect[:, action] - truth) <= Z_90 * one.standard_error[:, action]))


def error_ratio(one: Estimates, halves: NDArray[np.float64], action: int) -> float:
    """Return the root mean squared error over the one that is claimed; 1 is honest, above 1 is too sure.

    The product of the errors against either half of the futures has no noise of the futures in its mean.
    """
    errors = one.effect[:, action] - halves[:, :, action]
    squared = max(0.0, float((errors[0] * errors[1]).mean()))
    return float(np.sqrt(squared / (one.standard_error[:, action] ** 2).mean()))


def true_sd(halves: NDArray[np.float64], action: int) -> float:
    """Return the standard deviation of the true effects of *action* over accounts, the noise of the futures taken off.

    Args:
        halves: Shape (2, m, K), truth by either half of the futures.
        action: 0 to K - 1.
    """
    return float(np.sqrt(max(0.0, np.cov(halves[0, :, action], halves[1, :, action])[0, 1])))
