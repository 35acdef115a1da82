"""One small LightGBM regression: the only kind of model that uplift learners are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

from training.heads.boosting import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def boosted(
    matrix: NDArray[np.float64],
    target: NDArray[np.float64],
    params: dict[str, Any],
    *,
    trees: int,
    weight: NDArray[np.float64] | None = None,
    feature_names: Sequence[str] | None = None,
) -> lgb.Booster:
    """Return a booster of *trees* rounds without its training data.

    Args:
        matrix: Shape (n, f).
        target: Shape (n,).
        params: From `UpliftSettings`.
        trees: Rounds.
        weight: Shape (n,); ones if None.
        feature_names: Of the columns.
    """
    data = lgb.Dataset(
        matrix,
        label=target,
        weight=weight,
        feature_name=list(feature_names) if feature_names is not None else "auto",
        params=params,
    )
    return frozen(lgb.train(params, data, num_boost_round=trees), trees)


def boosted_each(
    matrix: NDArray[np.float64],
    targets: Iterable[NDArray[np.float64]],
    params: Sequence[dict[str, Any]],
    *,
    trees: int,
) -> tuple[lgb.Booster, ...]:
    """Return what `boosted` returns for each of *targets*; the features are cut into bins once for all of them.

    Args:
        matrix: Shape (n, f).
        targets: Shape (n,) each.
        params: From `UpliftSettings`, of each target; they differ in their seeds alone.
        trees: Rounds.
    """
    data = lgb.Dataset(matrix, params=params[0])
    found = []
    for target, own in zip(targets, params, strict=True):
        data.set_label(target)
        found.append(frozen(lgb.train(own, data, num_boost_round=trees), trees))
    return tuple(found)


def predicted(booster: lgb.Booster, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the prediction of each row, shape (n,)."""
    return np.asarray(booster.predict(matrix, num_threads=1), dtype=np.float64)
