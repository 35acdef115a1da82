"""The Brier score taken apart: how far bins are off, how much they differ, and how uncertain the world is.

Murphy 1973: over bins k with n_k of n rows, mean probability p_k, event rate o_k, and o the rate of all,

    reliability = sum n_k (p_k - o_k)^2 / n     (0 is best)
    resolution  = sum n_k (o_k - o)^2 / n       (uncertainty is best)
    uncertainty = o (1 - o)

For bins that hold different probabilities, Brier = reliability - resolution + uncertainty + `within_bins`, where the
last is the variance of the probability within bins less twice its covariance with the label (Stephenson, Coelho and
Jolliffe 2008). `skill` is 1 - Brier / uncertainty: the share of the uncertainty that the model takes away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap, Estimate
    from training.evaluation.reliability import Bins


def brier_decomposition(
    bootstrap: AccountBootstrap, label: NDArray[np.float64], probability: NDArray[np.float64], bins: Bins
) -> dict[str, Estimate]:
    """Return `reliability`, `resolution`, `uncertainty`, `within_bins` and `skill`, each with its interval.

    Args:
        bootstrap: Resamples of the accounts of the n rows.
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        bins: Division of the rows; resamples keep it.
    """
    inside = bins.indicator()
    columns = [inside, inside * probability[:, None], inside * label[:, None]]
    sums = bootstrap.sums(np.column_stack([*columns, (probability - label) ** 2]))
    k = bins.count
    rows, predicted, events, squared = sums[:, :k], sums[:, k : 2 * k], sums[:, 2 * k : 3 * k], sums[:, -1]
    total = rows.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(rows > 0, predicted / rows, 0.0)
        observed = np.where(rows > 0, events / rows, 0.0)
        base = events.sum(axis=1) / total
        reliability = (rows * (mean - observed) ** 2).sum(axis=1) / total
        resolution = (rows * (observed - base[:, None]) ** 2).sum(axis=1) / total
        uncertainty = base * (1 - base)
        score = squared / total
        skill = np.where(uncertainty > 0, 1 - score / uncertainty, np.nan)
    within = score - (reliability - resolution + uncertainty)
    found = {
        "reliability": reliability,
        "resolution": resolution,
        "uncertainty": uncertainty,
        "within_bins": within,
        "skill": skill,
    }
    return {name: bootstrap.summarise(values) for name, values in found.items()}
