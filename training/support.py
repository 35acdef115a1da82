"""Learns the region that training covered, for `serving.scoring` to tell who lies outside it.

Serving's value object is not imported here; both sides meet in the manifest's dictionary, as with the feature contract.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract

RANGE_PERCENTILES = (0.5, 99.5)
REFUSED_SHARE = 0.02
LEAST_LIMIT = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class SupportRegion:
    """Ranges and weights of f features; the fields are those of `serving.scoring.support.Support`."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    weight: NDArray[np.float64]
    limit: float

    def outside(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weight of the features that lie outside their range, shape (n,), 0 to 1."""
        return np.asarray(((matrix < self.low) | (matrix > self.high)).astype(np.float64) @ self.weight)

    def to_dict(self) -> dict[str, Any]:
        """Return the value for the manifest; a range without an end has None there."""
        return {
            "low": [value if np.isfinite(value) else None for value in self.low.tolist()],
            "high": [value if np.isfinite(value) else None for value in self.high.tolist()],
            "weight": self.weight.tolist(),
            "limit": self.limit,
        }


def null_view_shares(matrix: NDArray[np.float64], contract: FeatureContract) -> dict[str, float]:
    """Return by view the share of rows in which all its model features are null: 1 if training knew nothing of it.

    Args:
        matrix: Float64, shape (n, model features), n > 0: the rows that the heads learnt from.
        contract: Whose features are its columns.
    """
    null = np.isnan(matrix)
    columns: dict[str, list[int]] = {}
    for column, feature in enumerate(contract.model_features):
        columns.setdefault(feature.view, []).append(column)
    return {view: round(float(null[:, places].all(axis=1).mean()), 6) for view, places in columns.items()}


def fit_support(
    train: NDArray[np.float64],
    validation: NDArray[np.float64],
    boosters: Sequence[lgb.Booster],
    *,
    open_features: Sequence[int] = (),
    refused_share: float = REFUSED_SHARE,
) -> SupportRegion:
    """Return ranges from *train* and the limit from *validation*.

    A range is the 0.5 to 99.5 percentile of the training rows, widened by a tenth of its width on either side. The
    limit is what all but *refused_share* of the validation rows stay within, and at least 0.02, so that one feature of
    no importance refuses nobody.

    Args:
        train: Float64, shape (n, f).
        validation: Float64, shape (m, f), of later cutoffs.
        boosters: Whose gain weighs features.
        open_features: Columns that have no range, such as an age that grows with the calendar.
        refused_share: Share of validation rows that may be refused.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is null throughout
        low, high = np.nanpercentile(train, RANGE_PERCENTILES, axis=0)
    margin = 0.1 * (high - low)
    low, high = low - margin, high + margin
    low = np.where(np.isnan(low), -np.inf, low)
    high = np.where(np.isnan(high), np.inf, high)
    low[list(open_features)], high[list(open_features)] = -np.inf, np.inf
    distinct = {id(booster): booster for booster in boosters}.values()
    gains = [np.asarray(booster.feature_importance("gain"), dtype=np.float64) for booster in distinct]
    shares = np.sum([gain / max(float(gain.sum()), 1e-12) for gain in gains], axis=0)
    weight = shares / max(float(shares.sum()), 1e-12)
    region = SupportRegion(low, high, weight, 1.0)
    reached = float(np.quantile(region.outside(validation), 1.0 - refused_share, method="higher"))
    return SupportRegion(low, high, weight, max(LEAST_LIMIT, reached))
