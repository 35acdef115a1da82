"""What a head loses when a view is missing or numbers are noisy: AUC and how far probabilities move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract

NOISE_RATIO = 0.1


@dataclass(frozen=True, slots=True)
class RobustnessRows:
    """n test rows of one head and horizon whose label is known, and the model.

    Attributes:
        account_id: Shape (n,).
        label: Shape (n,), 0 or 1.
        matrix: Shape (n, model features).
        contract: What its columns are.
        predict: Returns probabilities, shape (n,), of a matrix.
    """

    account_id: NDArray[np.object_]
    label: NDArray[np.float64]
    matrix: NDArray[np.float64]
    contract: FeatureContract
    predict: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def robustness(
    rows: RobustnessRows, *, samples: int, seed: int, noise_ratio: float = NOISE_RATIO
) -> dict[str, Any]:
    """Return how much worse the model ranks without each view and with noise on numbers.

    A missing view is all NaN, as serving has it. What noise is stands at `noisy`.

    Args:
        rows: Test rows and the model.
        samples: Resamples of accounts.
        seed: Seed of the resamples and of the noise.
        noise_ratio: Standard deviation of the noise over the number.

    Returns:
        JSON-able: `roc_auc`; `missing_views`, a list with `view`, `features`, `roc_auc_drop` and
        `mean_abs_probability_change`, the largest drop first; and `noise`, the same with `ratio` and the shares of
        known cells that changed, `numbers_changed` of Float64 and `counts_changed` of Int64 features.
    """
    bootstrap = AccountBootstrap(rows.account_id, samples=samples, seed=seed)
    usual = rows.predict(rows.matrix)

    def against(changed: NDArray[np.float64]) -> dict[str, Any]:
        probability = rows.predict(changed)
        drop = bootstrap.estimate(
            lambda weight: (
                metrics.roc_auc(rows.label, usual, weight) - metrics.roc_auc(rows.label, probability, weight)
            )
        )
        return {
            "roc_auc_drop": drop.as_dict(),
            "mean_abs_probability_change": round(float(np.abs(probability - usual).mean()), 6),
        }

    features = rows.contract.model_features
    views = []
    for view in dict.fromkeys(feature.view for feature in features):
        mine = np.array([feature.view == view for feature in features])
        blanked = np.where(mine[None, :], np.nan, rows.matrix)
        views.append({"view": view, "features": int(mine.sum()), **against(blanked)})
    shaken = noisy(rows, noise_ratio, seed)
    views.sort(key=lambda one: -(one["roc_auc_drop"]["value"] or 0.0))
    return {
        "roc_auc": bootstrap.estimate(lambda weight: metrics.roc_auc(rows.label, usual, weight)).as_dict(),
        "missing_views": views,
        "noise": {
            "ratio": noise_ratio,
            **against(shaken),
            "numbers_changed": _changed(rows, shaken, "Float64"),
            "counts_changed": _changed(rows, shaken, "Int64"),
        },
    }


def noisy(rows: RobustnessRows, ratio: float, seed: int) -> NDArray[np.float64]:
    """Return the matrix with noise of *ratio* on its numbers; whole numbers, flags and categories keep their kind.

    Every number is multiplied by 1 + *ratio* times a standard normal draw of its own. Rounded, that would leave small
    counts as they were. So of whole numbers each counted unit is also lost with a chance of *ratio*, and as many are
    booked on rows drawn at random, those that had none included (a Poisson number with *ratio* times the feature's
    mean): what happens where events are attributed to the wrong account. Either way the mean of a feature stays.

    Args:
        rows: Test rows.
        ratio: 0 to 1.
        seed: Seed of all draws.
    """
    features = rows.contract.model_features
    generator = np.random.default_rng(seed)
    factor = 1.0 + ratio * generator.standard_normal(rows.matrix.shape)
    changed = rows.matrix.copy()
    for position, feature in enumerate(features):
        values = rows.matrix[:, position]
        known = np.isfinite(values)
        if feature.dtype == "Int64":
            kept = _misbooked(values[known], ratio, generator)
            changed[known, position] = _rounded_by_lot(kept * factor[known, position], generator)
        elif feature.dtype == "Float64":
            changed[:, position] = values * factor[:, position]
    return changed


def _misbooked(
    values: NDArray[np.float64], ratio: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return whole numbers of which a share is lost, and as much booked on rows drawn at random."""
    size = np.abs(values)
    kept = np.sign(values) * (size - generator.binomial(size.astype(np.int64), ratio))
    mean = float(values.mean()) if len(values) else 0.0
    return np.asarray(
        kept + np.sign(mean) * generator.poisson(ratio * abs(mean), len(values)), dtype=np.float64
    )


def _rounded_by_lot(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return whole numbers, rounded up with the chance of the fraction, so that the mean stays."""
    return np.asarray(np.floor(values + generator.random(len(values))), dtype=np.float64)


def _changed(rows: RobustnessRows, shaken: NDArray[np.float64], dtype: str) -> float | None:
    """Return the share of the known cells of features of *dtype* that are not as they were; None without any."""
    mine = np.array([feature.dtype == dtype for feature in rows.contract.model_features])
    before, after = rows.matrix[:, mine], shaken[:, mine]
    known = ~np.isnan(before)
    return round(float((before != after)[known].mean()), 4) if known.any() else None
