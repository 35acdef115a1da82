"""What is said of the trajectory head: log loss against class shares, class AUCs, and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap
from training.labels_trajectory import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GROUPS = 5
_TINY = 1e-12


def trajectory_report(
    probability: NDArray[np.float64],
    label: NDArray[np.float64],
    account_id: NDArray[np.object_],
    class_shares: NDArray[np.float64],
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of test rows whose class is known, with intervals over accounts.

    Args:
        probability: Shape (n, 3), classes in the order of `CLASSES`.
        label: Shape (n,), 0, 1 or 2.
        account_id: Shape (n,).
        class_shares: Shape (3,), shares of the classes in training: the baseline.
        samples: Resamples.
        seed: Their seed.
    """
    bootstrap = AccountBootstrap(account_id, samples=samples, seed=seed)
    codes = label.astype(np.intp)
    ours = -np.log(np.maximum(probability[np.arange(len(codes)), codes], _TINY))
    base = -np.log(np.maximum(class_shares[codes], _TINY))

    def mean(loss: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        return lambda weight: np.asarray((weight @ loss) / weight.sum(axis=1))

    return {
        "rows": len(label),
        "accounts": len(set(account_id.tolist())),
        "class_counts": {name: int((codes == code).sum()) for code, name in enumerate(CLASSES)},
        "log_loss": bootstrap.estimate(mean(ours)).as_dict(),
        "log_loss_of_class_shares": bootstrap.estimate(mean(base)).as_dict(),
        "log_loss_gain": bootstrap.estimate(mean(base - ours)).as_dict(),
        "classes": {
            name: {
                "roc_auc": bootstrap.estimate(_auc(codes == code, probability[:, code])).as_dict(),
                "reliability": _reliability(codes == code, probability[:, code]),
            }
            for code, name in enumerate(CLASSES)
        },
    }


def _auc(
    happened: NDArray[np.bool_], probability: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda weight: metrics.roc_auc(happened.astype(np.float64), probability, weight)


def _reliability(happened: NDArray[np.bool_], probability: NDArray[np.float64]) -> list[dict[str, float]]:
    groups = np.array_split(np.argsort(probability, kind="stable"), min(GROUPS, max(1, len(probability))))
    return [
        {
            "predicted": round(float(probability[rows].mean()), 6),
            "observed": round(float(happened[rows].mean()), 6),
        }
        for rows in groups
        if len(rows)
    ]
