"""Reasons for a score that a graph can look up: a row of feature contributions for each leaf of each tree.

Exact TreeSHAP (Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for
trees", Nature Machine Intelligence 2, 56-67) gives, for row x and tree t, contributions phi_j(x) with
`sum_j phi_j(x) = f_t(x) - E[f_t]`. All rows in one leaf share f_t(x), so the mean of their contributions over
the leaf has the same sum: looking up the leaf's mean keeps sums exact and costs one gather instead of a walk
over subsets. A leaf that no background row reaches gets path contributions instead (Saabas 2014: each split
on the way down gets the change of the expected value there); their sum is `f_t - E[f_t]` too.

For a head the contributions are to the log-odds of the probability P of the event by the scored horizon. Each
interval's contributions are weighted as `interval_weights` says, and summed: whatever the row, its contributions add
up to `logit P - logit P0`, where P0 is the probability at the trees' expected values, the base.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.export.trees import Tree

METHOD = (
    "leaf-averaged TreeSHAP, weighted by the slope of the log-odds over each interval's margin "
    "from the base to the row"
)


@dataclass(frozen=True, slots=True)
class LeafTable:
    """Contributions per leaf of one booster, leaves numbered through its trees in order.

    Attributes:
        values: Shape (leaves, features); the row of a leaf sums to its value minus its tree's expected value.
        leaves_without_background: How many leaves got path contributions for want of a background row.
    """

    values: NDArray[np.float64]
    leaves_without_background: int


def leaf_table(booster: lgb.Booster, trees: Mapping[int, Tree], background: NDArray[np.float64]) -> LeafTable:
    """Return the leaf-averaged TreeSHAP contributions of some trees of one booster.

    Args:
        booster: The booster.
        trees: Trees, as `read_trees` gives them, by their place in the booster; one at least.
        background: Float64, shape (rows, features): rows of the population that will be explained; may be
            empty.
    """
    n_features = background.shape[1]
    n_rows = len(background)
    leaves = np.zeros((0, max(trees) + 1), dtype=np.int64)
    if n_rows:
        leaves = np.asarray(booster.predict(background, pred_leaf=True), dtype=np.int64).reshape(n_rows, -1)
    parts, without = [], 0
    for index, tree in trees.items():
        table = path_contributions(tree, n_features)
        if n_rows and tree.n_leaves > 1:
            exact = np.asarray(
                booster.predict(background, pred_contrib=True, start_iteration=index, num_iteration=1)
            )[:, :n_features]
            counts = np.bincount(leaves[:, index], minlength=tree.n_leaves)
            sums = np.zeros((tree.n_leaves, n_features))
            np.add.at(sums, leaves[:, index], exact)
            seen = counts > 0
            table[seen] = sums[seen] / counts[seen, None]
            without += int((~seen).sum())
        elif tree.n_leaves > 1:
            without += tree.n_leaves
        parts.append(table)
    return LeafTable(values=np.concatenate(parts), leaves_without_background=without)


def path_contributions(tree: Tree, n_features: int) -> NDArray[np.float64]:
    """Return path contributions (Saabas) of every leaf of *tree*, shape (leaves, n_features)."""
    table = np.zeros((tree.n_leaves, n_features))
    splits = len(tree.feature)
    if splits == 0:
        return table
    expected, weight = np.zeros(splits), np.zeros(splits)

    def mean_and_weight(child: int) -> tuple[float, float]:
        if child < 0:
            return float(tree.leaf_value[~child]), float(tree.leaf_count[~child])
        return float(expected[child]), float(weight[child])

    # LightGBM numbers a split after the one above it, so children come first when counting down.
    for node in range(splits - 1, -1, -1):
        left, left_weight = mean_and_weight(int(tree.left[node]))
        right, right_weight = mean_and_weight(int(tree.right[node]))
        weight[node] = left_weight + right_weight
        expected[node] = (left * left_weight + right * right_weight) / weight[node]
    above = np.zeros((splits, n_features))
    for node in range(splits):
        for child in (int(tree.left[node]), int(tree.right[node])):
            row = above[node].copy()
            row[tree.feature[node]] += mean_and_weight(child)[0] - expected[node]
            if child < 0:
                table[~child] = row
            else:
                above[child] = row
    return table


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near the looked-up contributions come to exact TreeSHAP, on rows that the table was not made from.

    Attributes:
        method: What the contributions are.
        background_rows: Rows that the leaf means were taken over.
        rows: Rows on which fidelity was measured.
        mean_cosine: Mean cosine between looked-up and exact contributions of a row.
        same_top_feature: Share of rows whose largest contribution (by magnitude) is of the same feature.
        same_top_signal: The same after contributions are added up by signal, as people see them.
        largest_sum_error: Largest gap between a row's summed contributions and the exact sum, in log-odds.
        largest_additivity_error: Largest gap between the base plus a row's summed contributions and the log-odds of
            its probability.
        leaves: Leaves that are explained.
        leaves_without_background: Those of them that had to use path contributions.
    """

    method: str
    background_rows: int
    rows: int
    mean_cosine: float
    same_top_feature: float
    same_top_signal: float
    largest_sum_error: float
    largest_additivity_error: float
    leaves: int
    leaves_without_background: int

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the values by name, for the manifest."""
        return asdict(self)


def fidelity(
    looked_up: NDArray[np.floating],
    exact: NDArray[np.float64],
    signals: Sequence[str],
    *,
    expected_sums: NDArray[np.float64],
    background_rows: int,
    leaves: int,
    leaves_without_background: int,
) -> Fidelity:
    """Compare contributions with exact ones, both of shape (rows, features).

    Args:
        looked_up: What the graph gives.
        exact: Exact TreeSHAP, weighted alike.
        signals: The signal of each feature.
        expected_sums: Shape (rows,), the log-odds of each row's probability, less the base.
        background_rows: See `Fidelity`.
        leaves: See `Fidelity`.
        leaves_without_background: See `Fidelity`.
    """
    ours = np.asarray(looked_up, dtype=np.float64)
    sums = ours.sum(axis=1)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(exact, axis=1)
    dots = (ours * exact).sum(axis=1)
    told = lengths > 0  # a row on which no tree splits has nothing to point at
    names = sorted(set(signals))
    groups = np.zeros((len(signals), len(names)))
    groups[np.arange(len(signals)), [names.index(signal) for signal in signals]] = 1.0

    def same_top(ours: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
        same = np.abs(ours).argmax(axis=1) == np.abs(exact).argmax(axis=1)
        return float(same.mean()) if len(same) else 1.0

    return Fidelity(
        method=METHOD,
        background_rows=background_rows,
        rows=len(ours),
        mean_cosine=float((dots[told] / lengths[told]).mean()) if told.any() else 1.0,
        same_top_feature=same_top(ours, exact),
        same_top_signal=same_top(ours @ groups, exact @ groups),
        largest_sum_error=float(np.abs(sums - exact.sum(axis=1)).max(initial=0.0)),
        largest_additivity_error=float(np.abs(sums - expected_sums).max(initial=0.0)),
        leaves=leaves,
        leaves_without_background=leaves_without_background,
    )
