"""What is said of the trajectory head: log loss against class shares, and of each class its AUC and calibration.

Calibration is told class by class (each against the rest): a curve, and the mean distance of said and seen over ten
groups of equal size, plain and with what noise alone adds taken off, as for the other heads. The intervals of that
distance hold over all classes together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.reliability import calibration_error, equal_count_bins, reliability_curve
from training.labels_trajectory import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GROUPS = 5


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
    together = AccountBootstrap(account_id, samples=samples, seed=seed, comparisons=len(CLASSES))
    codes = label.astype(np.intp)
    ours = metrics.class_losses(probability, codes)
    base = metrics.class_losses(np.broadcast_to(class_shares, probability.shape), codes)
    return {
        "rows": len(label),
        "accounts": len(set(account_id.tolist())),
        "class_counts": {name: int((codes == code).sum()) for code, name in enumerate(CLASSES)},
        "log_loss": bootstrap.mean(ours).as_dict(),
        "log_loss_of_class_shares": bootstrap.mean(base).as_dict(),
        "log_loss_gain": bootstrap.mean(base - ours).as_dict(),
        "classes": {
            name: _class_report(bootstrap, together, account_id, codes == code, probability[:, code])
            for code, name in enumerate(CLASSES)
        },
    }


def _class_report(
    bootstrap: AccountBootstrap,
    together: AccountBootstrap,
    account_id: NDArray[np.object_],
    happened: NDArray[np.bool_],
    probability: NDArray[np.float64],
) -> dict[str, Any]:
    """Return AUC, mean said and seen, calibration error with intervals, and the curve of one class."""
    label = happened.astype(np.float64)
    error = calibration_error(together, label, probability, equal_count_bins(probability))
    return {
        "roc_auc": bootstrap.estimate(_auc(happened, probability)).as_dict(),
        "said": round(float(probability.mean()), 6),
        "seen": round(float(label.mean()), 6),
        **{name: estimate.as_dict() for name, estimate in error.items()},
        "reliability": reliability_curve(
            account_id, label, probability, equal_count_bins(probability, GROUPS)
        ),
    }


def _auc(
    happened: NDArray[np.bool_], probability: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda weight: metrics.roc_auc(happened.astype(np.float64), probability, weight)
