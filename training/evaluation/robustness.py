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
_NUMBERS = ("Float64", "Int64")


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

    A missing view is all NaN, as serving has it. Noise multiplies every number by 1 + *noise_ratio* times a standard
    normal draw of its own.

    Args:
        rows: Test rows and the model.
        samples: Resamples of accounts.
        seed: Seed of the resamples and of the noise.
        noise_ratio: Standard deviation of the noise over the number.

    Returns:
        JSON-able: `roc_auc`; `missing_views`, a list with `view`, `features`, `roc_auc_drop` and
        `mean_abs_probability_change`, the largest drop first; and `noise`, the same with `ratio`.
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
    views.sort(key=lambda one: -(one["roc_auc_drop"]["value"] or 0.0))
    return {
        "roc_auc": bootstrap.estimate(lambda weight: metrics.roc_auc(rows.label, usual, weight)).as_dict(),
        "missing_views": views,
        "noise": {"ratio": noise_ratio, **against(noisy(rows, noise_ratio, seed))},
    }


def noisy(rows: RobustnessRows, ratio: float, seed: int) -> NDArray[np.float64]:
    """Return the matrix with noise of *ratio* on its numbers; whole numbers, flags and categories keep their kind."""
    features = rows.contract.model_features
    generator = np.random.default_rng(seed)
    factor = 1.0 + ratio * generator.standard_normal(rows.matrix.shape)
    numbers = np.array([feature.dtype in _NUMBERS for feature in features])
    whole = np.array([feature.dtype == "Int64" for feature in features])
    changed = np.where(numbers[None, :], rows.matrix * factor, rows.matrix)
    return np.asarray(np.where(whole[None, :], np.round(changed), changed), dtype=np.float64)
