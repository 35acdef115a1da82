"""Rows on which an inexact export would show: on split thresholds, beside them, and at the ends of float64.

A threshold deep in a tree only matters to rows that get there, so half of the rows are real rows that reach
the split, with the split's own feature moved onto its threshold or to the next number on either side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.export.trees import ZERO_THRESHOLD, Tree, read_trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST_NORMAL = float(np.finfo(np.float64).tiny)
# Missing and infinite values, signed zeros, denormals, LightGBM's zero (1e-35) and its neighbours, whole
# numbers around the float32 and float64 limits, money in units and cents, epoch seconds and milliseconds.
SPECIAL_VALUES: tuple[float, ...] = (
    np.nan, np.inf, -np.inf, 0.0, -0.0,
    5e-324, -5e-324, 1e-310, -1e-310, _SMALLEST_NORMAL, -_SMALLEST_NORMAL,
    ZERO_THRESHOLD, -ZERO_THRESHOLD,
    float(np.nextafter(ZERO_THRESHOLD, 1.0)), float(np.nextafter(-ZERO_THRESHOLD, -1.0)),
    1e-35, -1e-35, 1e-36, -1e-36, 1.0, -1.0, 0.1, 1.0 / 3.0,
    16_777_216.0, 16_777_217.0, 9_007_199_254_740_992.0,
    0.01, 49.99, 1_234.56, 99_999.99, 1_234_567.89, 12_345_678_901.23,
    1_700_000_000.0, 1_700_000_000.5, 1_767_225_600.0, 1_767_225_600_123.0,
    1e30, -1e30, 1e300, -1e300, _LARGEST, -_LARGEST,
)  # fmt: skip
_DISTURBED_SHARE = 0.5


def hard_rows(
    boosters: Sequence[lgb.Booster], background: NDArray[np.float64], n_rows: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return at least *n_rows* rows, float64 of shape (rows, features), on which to compare two evaluations.

    Every threshold of a feature stands in that feature's column at least once, as do its two neighbours and
    every special value.

    Args:
        boosters: The boosters whose thresholds matter; one may read fewer columns than another, the first of them.
        background: Float64, shape (rows, features): ordinary rows to start from; may be empty.
        n_rows: How many rows are wanted; there are more if one feature has more thresholds than fit.
        rng: Source of randomness.
    """
    n_features = max(booster.num_feature() for booster in boosters)
    base = background if len(background) else np.zeros((1, n_features))
    forests = [read_trees(booster) for booster in boosters]
    candidates = [_candidates(forests, feature) for feature in range(n_features)]
    guided = _rows_at_splits(boosters, forests, base, n_rows // 2, rng)
    rest = max(n_rows - len(guided), *(len(values) for values in candidates))
    disturbed = base[rng.integers(0, len(base), rest)].copy()
    for feature, values in enumerate(candidates):
        cells = np.where(rng.random(rest) < _DISTURBED_SHARE)[0]
        disturbed[cells, feature] = rng.choice(values, len(cells))
        disturbed[rng.permutation(rest)[: len(values)], feature] = values
    return np.concatenate([guided, disturbed])


def _candidates(forests: Sequence[Sequence[Tree]], feature: int) -> NDArray[np.float64]:
    thresholds = [tree.threshold[tree.feature == feature] for trees in forests for tree in trees]
    exact = np.unique(np.concatenate([np.zeros(0), *thresholds]))
    return np.concatenate([_with_neighbours(exact), np.array(SPECIAL_VALUES)])


def _with_neighbours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([values, np.nextafter(values, -np.inf), np.nextafter(values, np.inf)])


def _rows_at_splits(
    boosters: Sequence[lgb.Booster],
    forests: Sequence[Sequence[Tree]],
    base: NDArray[np.float64],
    limit: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return up to *limit* rows that reach a split and stand on its threshold or right beside it."""
    rows, features, thresholds = [], [], []
    for booster, trees in zip(boosters, forests, strict=True):
        known = base[:, : booster.num_feature()]
        leaves = np.asarray(booster.predict(known, pred_leaf=True), dtype=np.int64).reshape(len(base), -1)
        for index, tree in enumerate(trees):
            if tree.n_leaves > 1:
                rows.append(_row_through_each_split(tree, leaves[:, index], rng))
                features.append(tree.feature)
                thresholds.append(tree.threshold)
    if not rows:
        return np.zeros((0, base.shape[1]))
    row, feature = np.concatenate(rows), np.concatenate(features)
    spots = _with_neighbours(np.concatenate(thresholds))
    picked = rng.permutation(len(spots))[:limit]
    made = base[row[picked % len(row)]].copy()
    made[np.arange(len(picked)), feature[picked % len(row)]] = spots[picked]
    return made


def _row_through_each_split(
    tree: Tree, leaves: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return, per split, the index of a row that passes it; any row where none does."""
    through_leaf = np.full(tree.n_leaves, -1, dtype=np.int64)
    order = rng.permutation(len(leaves))
    through_leaf[leaves[order]] = order
    through = np.full(len(tree.feature), -1, dtype=np.int64)
    for node in range(len(tree.feature) - 1, -1, -1):
        children = [int(tree.left[node]), int(tree.right[node])]
        found = [int(through_leaf[~child] if child < 0 else through[child]) for child in children]
        reached = [row for row in found if row >= 0]
        if reached:
            through[node] = reached[int(rng.integers(len(reached)))]
    missing = through < 0
    through[missing] = rng.integers(0, len(leaves), int(missing.sum()))
    return through
