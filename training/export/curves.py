"""Merges all trees that split on one feature alone into one curve a feature, for all boosters at once.

A sum of such trees is a step function of the feature: between two neighbouring thresholds of any of them nothing
changes. So one balanced tree over all thresholds, whose leaves hold what each booster's trees add up to there, says
what hundreds of stumps say, and says it exactly. TreeSHAP of a tree with one feature gives that feature the tree's
value minus its expected value, so a leaf of a curve has exact contributions, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from training.export.trees import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Curve:
    """A step function of one feature for each of b boosters.

    Attributes:
        tree: Tells the step, of m; its own leaf values and counts mean nothing.
        values: Shape (m, b), what a step adds to each booster's margin.
        expected: Shape (b,), the mean of that over the booster's training rows; the base value of TreeSHAP.
        points: Shape (m,), a value of the feature in each step.
    """

    tree: Tree
    values: NDArray[np.float64]
    expected: NDArray[np.float64]
    points: NDArray[np.float64]

    @property
    def feature(self) -> int:
        """Column of the feature."""
        return int(self.tree.feature[0])


def only_feature(tree: Tree) -> int | None:
    """Return the one column that *tree* splits on; None if there are several, or none."""
    columns = set(tree.feature.tolist())
    return columns.pop() if len(columns) == 1 else None


def merge_trees(feature: int, forests: Sequence[Sequence[Tree]], also: Sequence[Tree] = ()) -> Curve:
    """Return the curve that trees which split on *feature* alone add up to.

    Args:
        feature: Column of the feature.
        forests: For each booster its trees that split on nothing else; some booster has one, or *also* has.
        also: Trees on that feature whose steps the curve shall tell apart, though no booster has them.
    """
    every = [*(tree for trees in forests for tree in trees), *also]
    thresholds = np.unique(np.concatenate([tree.threshold for tree in every]))
    # A step holds its upper threshold, the last one everything above; a missing value comes after them.
    points = np.concatenate([thresholds, [np.inf, np.nan]])
    values = np.column_stack([_sums(trees, points) for trees in forests])
    reached = np.array([leaves_at(tree, points) for tree in every])
    like_missing = np.flatnonzero((reached[:, :-1] == reached[:, -1:]).all(axis=0))
    nan_step = int(like_missing[0]) if len(like_missing) else None
    return Curve(
        tree=_balanced_tree(feature, thresholds, nan_step),
        values=values if nan_step is None else values[:-1],
        expected=np.array([math.fsum(tree.expected_value for tree in trees) for trees in forests]),
        points=points if nan_step is None else points[:-1],
    )


def merged(trees: Sequence[Tree]) -> list[Tree]:
    """Return fewer trees that add up to what *trees* do: those on one feature alone become one tree a feature."""
    by_feature: dict[int, list[Tree]] = {}
    rest = []
    for tree in trees:
        feature = only_feature(tree)
        if feature is None:
            rest.append(tree)
        else:
            by_feature.setdefault(feature, []).append(tree)
    curves = [merge_trees(feature, [by_feature[feature]]) for feature in sorted(by_feature)]
    return [replace(curve.tree, leaf_value=curve.values[:, 0]) for curve in curves] + rest


def lookup_tree(feature: int, values: NDArray[np.float64], otherwise: float) -> Tree:
    """Return a tree that gives `values[int(x)]` for a code x of 0 to below m, and *otherwise* for all else, NaN too.

    Args:
        feature: Column of the code.
        values: Shape (m,).
        otherwise: Of a code that is not known.
    """
    edges = np.nextafter(np.arange(len(values) + 1, dtype=np.float64), -np.inf)
    leaves = np.concatenate([[otherwise], values, [otherwise]])
    return replace(_balanced_tree(feature, edges, nan_step=0), leaf_value=leaves)


def _sums(trees: Sequence[Tree], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what *trees* add up to at each of *points*, rounded once."""
    found = [tree.leaf_value[leaves_at(tree, points)].tolist() for tree in trees]
    return np.array([math.fsum(values) for values in zip(*found, strict=True)] or np.zeros(len(points)))


def leaves_at(tree: Tree, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the leaf in which each value of the only feature of *tree* ends."""
    at = np.zeros(len(points), dtype=np.int64)
    while (under_way := at >= 0).any():
        node, value = at[under_way], points[under_way]
        left = np.where(np.isnan(value), tree.nan_left[node], value <= tree.threshold[node])
        at[under_way] = np.where(left, tree.left[node], tree.right[node])
    return ~at


def _balanced_tree(feature: int, thresholds: NDArray[np.float64], nan_step: int | None) -> Tree:
    """Return the tree of least depth whose leaf i is the i-th step between *thresholds*, m of them.

    Args:
        feature: Column of the feature.
        thresholds: Shape (m,), increasing.
        nan_step: The step of a missing value; None gives it leaf m + 1.
    """
    cuts: list[float] = []
    nan_left: list[bool] = []
    left: list[int] = []
    right: list[int] = []

    def split(cut: float, *, missing_left: bool) -> int:
        cuts.append(cut)
        nan_left.append(missing_left)
        left.append(0)
        right.append(0)
        return len(cuts) - 1

    def grow(first: int, last: int) -> int:
        """Return the node over the steps from *first* to *last*."""
        if first == last:
            return ~first
        middle = (first + last) // 2
        node = split(float(thresholds[middle]), missing_left=nan_step is not None and nan_step <= middle)
        left[node] = grow(first, middle)
        right[node] = grow(middle + 1, last)
        return node

    steps = len(thresholds) + 1
    if nan_step is None:  # every number is at most infinite
        root = split(math.inf, missing_left=False)
        left[root], right[root] = grow(0, steps - 1), ~steps
    else:
        grow(0, steps - 1)
    leaves = len(cuts) + 1
    return Tree(
        feature=np.full(len(cuts), feature, dtype=np.int64),
        threshold=np.array(cuts),
        nan_left=np.array(nan_left, dtype=np.bool_),
        left=np.array(left, dtype=np.int64),
        right=np.array(right, dtype=np.int64),
        leaf_value=np.zeros(leaves),
        split_count=np.zeros(len(cuts)),
        leaf_count=np.zeros(leaves),
    )
