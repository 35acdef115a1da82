"""Whether the model is right to call evidence thin: errors of refused against answered rows, and planted strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def refusal_report(
    refused: NDArray[np.bool_],
    probability: NDArray[np.float64],
    target: NDArray[np.float64],
    account_id: NDArray[np.object_],
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the squared error of refused and answered rows, and their ratio, with intervals over accounts.

    A ratio above 1 says that refusing spares answers that would have been worse.

    Args:
        refused: Shape (n,).
        probability: Shape (n,).
        target: Shape (n,), outcomes of 0 and 1 (the error is the Brier score) or true probabilities.
        account_id: Shape (n,).
        samples: Resamples.
        seed: Their seed.
    """
    error = (probability - target) ** 2
    bootstrap = AccountBootstrap(account_id, samples=samples, seed=seed)

    def mean(chosen: NDArray[np.bool_]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        def figure(weight: NDArray[np.float64]) -> NDArray[np.float64]:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray((weight @ (error * chosen)) / (weight @ chosen.astype(np.float64)))

        return figure

    inside, outside = mean(~refused), mean(refused)

    def ratio(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(outside(weight) / inside(weight))

    return {
        "rows": len(refused),
        "refused_share": float(refused.mean()) if len(refused) else 0.0,
        "squared_error_refused": bootstrap.estimate(outside).as_dict(),
        "squared_error_answered": bootstrap.estimate(inside).as_dict(),
        "error_ratio": bootstrap.estimate(ratio).as_dict(),
    }


def planted_strangers(
    matrix: NDArray[np.float64], weight: NDArray[np.float64], *, features: int, seed: int
) -> NDArray[np.float64]:
    """Return a copy of *matrix* whose rows have *features* values ten times as far out as the column ever was.

    Features are drawn per row in proportion to *weight*, so that what the models read is what is moved.

    Args:
        matrix: Float64, shape (n, f).
        weight: Shape (f,), not negative, with at least *features* entries above zero.
        features: Values to move a row.
        seed: Seed of the draw.
    """
    rng = np.random.default_rng(seed)
    moved = matrix.copy()
    filled = np.where(np.isnan(matrix), -np.inf, matrix)
    top = np.where(np.isfinite(filled.max(axis=0)), filled.max(axis=0), 0.0)
    reach = 10.0 * np.maximum(np.abs(top), 1.0)
    share = weight / weight.sum()
    for row in range(len(moved)):
        chosen = rng.choice(matrix.shape[1], size=features, replace=False, p=share)
        moved[row, chosen] = top[chosen] + reach[chosen]
    return moved
