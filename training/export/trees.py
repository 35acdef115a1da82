"""Reads the trees of a LightGBM booster as plain arrays, and says them as `TreeEnsemble` attributes.

The usual converter rounds thresholds to float32 and so sends some rows down the other branch; here every
threshold and every rule about missing values and zero is carried over exactly, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from training.export.errors import UnsupportedTreeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

# LightGBM stores 1e-35 as a float32 (`kZeroThreshold`). Its prediction reads every input of no greater
# magnitude as 0.
ZERO_THRESHOLD = float(np.float32(1e-35))
_CATEGORICAL_BIT = 1
_DEFAULT_LEFT_BIT = 2
_MISSING_SHIFT = 2
_MISSING_MASK = 3
_MISSING_ZERO = 1
_MISSING_NAN = 2


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree with m splits and m + 1 leaves; a row goes left when `x[feature] <= threshold`.

    Attributes:
        feature: Shape (m,), column of each split.
        threshold: Shape (m,), float64; already exact for inputs that LightGBM reads as zero.
        nan_left: Shape (m,), whether a missing value goes left.
        left: Shape (m,), index of the left child: a split if >= 0, otherwise leaf `~index`.
        right: Shape (m,), the right child likewise.
        leaf_value: Shape (m + 1,), what each leaf adds to the margin.
        split_count: Shape (m,), training rows that passed each split.
        leaf_count: Shape (m + 1,), training rows that ended in each leaf.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    nan_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf_value: NDArray[np.float64]
    split_count: NDArray[np.float64]
    leaf_count: NDArray[np.float64]

    @property
    def n_leaves(self) -> int:
        """Number of leaves."""
        return len(self.leaf_value)

    @property
    def expected_value(self) -> float:
        """Mean leaf value over the training rows; the base value of TreeSHAP."""
        if self.n_leaves == 1:
            return float(self.leaf_value[0])
        return float(np.average(self.leaf_value, weights=self.leaf_count))

    def scaled(self, factor: float) -> Tree:
        """Return the tree with all leaf values times *factor*."""
        return replace(self, leaf_value=self.leaf_value * factor)

    def fingerprint(self) -> bytes:
        """Return bytes that are equal for equal trees only."""
        parts = (
            self.feature, self.threshold, self.nan_left, self.left, self.right, self.leaf_value,
            self.split_count, self.leaf_count,
        )  # fmt: skip
        return b"".join(part.tobytes() for part in (np.array([self.n_leaves]), *parts))


def read_trees(booster: lgb.Booster, name: str = "booster") -> tuple[Tree, ...]:
    """Return the trees that `booster.predict` uses, in order.

    Args:
        booster: A LightGBM booster with one margin a row.
        name: What to call it in an error.

    Raises:
        UnsupportedTreeError: It has several margins, averages its trees, or has linear leaves, categorical
            splits or splits that treat zero as missing.
    """
    # The text (up to the best iteration, as predict) has 17 significant digits, so every float64 comes back
    # exactly.
    header, *blocks = booster.model_to_string().split("\nTree=")
    facts = _facts(header)
    if facts.get("num_tree_per_iteration") != "1":
        raise UnsupportedTreeError(
            f"{name} has {facts.get('num_tree_per_iteration')} margins a row; a hazard is one binary margin"
        )
    if "\naverage_output" in header:
        raise UnsupportedTreeError(f"{name} averages its trees (boosting=rf); train it with boosting=gbdt")
    return tuple(
        _tree(_facts(block.split("\nend of trees")[0]), f"tree {index} of {name}")
        for index, block in enumerate(blocks)
    )


def _facts(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _tree(facts: dict[str, str], where: str) -> Tree:
    if facts.get("is_linear", "0") != "0":
        raise UnsupportedTreeError(f"{where} has linear leaves; train with linear_tree=false")
    n_leaves = int(facts["num_leaves"])

    def numbers(key: str, size: int) -> NDArray[np.float64]:
        if size == 0 or key not in facts:
            return np.zeros(size)
        values = np.array([float(word) for word in facts[key].split()])
        if len(values) != size:
            raise UnsupportedTreeError(f"{where} has {len(values)} values of {key}; it should have {size}")
        return values

    if n_leaves == 1:
        empty = np.zeros(0, dtype=np.int64)
        return Tree(
            feature=empty,
            threshold=np.zeros(0),
            nan_left=np.zeros(0, dtype=np.bool_),
            left=empty,
            right=empty,
            leaf_value=numbers("leaf_value", 1),
            split_count=np.zeros(0),
            leaf_count=numbers("leaf_count", 1),
        )
    splits = n_leaves - 1
    decision = numbers("decision_type", splits).astype(np.int64)
    missing = (decision >> _MISSING_SHIFT) & _MISSING_MASK
    if facts.get("num_cat", "0") != "0" or bool((decision & _CATEGORICAL_BIT).any()):
        raise UnsupportedTreeError(
            f"{where} has categorical splits; encode categories as ordinary numbers and "
            "leave categorical_feature empty"
        )
    if bool((missing == _MISSING_ZERO).any()):
        raise UnsupportedTreeError(f"{where} treats zero as missing; train with zero_as_missing=false")
    threshold = numbers("threshold", splits)
    # A split whose training data had no missing value reads NaN as 0.0; one that had some sends NaN its
    # default way.
    nan_left = np.where(missing == _MISSING_NAN, (decision & _DEFAULT_LEFT_BIT) != 0, threshold >= 0.0)
    return Tree(
        feature=numbers("split_feature", splits).astype(np.int64),
        threshold=_exact_around_zero(threshold),
        nan_left=nan_left,
        left=numbers("left_child", splits).astype(np.int64),
        right=numbers("right_child", splits).astype(np.int64),
        leaf_value=numbers("leaf_value", n_leaves),
        split_count=numbers("internal_count", splits),
        leaf_count=numbers("leaf_count", n_leaves),
    )


def _exact_around_zero(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move thresholds within ±1e-35 so that all inputs that LightGBM reads as zero go where its zero goes."""
    moved = threshold.copy()
    moved[(threshold >= 0.0) & (threshold < ZERO_THRESHOLD)] = ZERO_THRESHOLD
    moved[(threshold < 0.0) & (threshold >= -ZERO_THRESHOLD)] = np.nextafter(-ZERO_THRESHOLD, -np.inf)
    return moved


@dataclass(frozen=True, slots=True)
class EnsembleArrays:
    """Attributes of one `TreeEnsemble` node, concatenated over trees.

    `true_is_leaf` and `false_is_leaf` say whether `true_id` and `false_id` count leaves or splits;
    `leaf_target` is the output column to which the leaf adds its weight.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    nan_tracks_true: NDArray[np.int64]
    true_id: NDArray[np.int64]
    true_is_leaf: NDArray[np.int64]
    false_id: NDArray[np.int64]
    false_is_leaf: NDArray[np.int64]
    leaf_target: NDArray[np.int64]


def ensemble_arrays(trees: Sequence[Tree], targets: Sequence[int]) -> EnsembleArrays:
    """Return the attributes that make a `TreeEnsemble` of *trees*, tree i adding to column `targets[i]`.

    Leaves are numbered through all trees in order. A tree of one leaf is a root whose two branches end in
    that leaf, as the operator's specification asks.
    """
    roots: list[int] = []
    parts: dict[str, list[NDArray[np.int64]]] = {
        key: [] for key in ("feature", "nan", "ti", "tl", "fi", "fl", "target")
    }
    thresholds: list[NDArray[np.float64]] = []
    nodes = leaves = 0
    for tree, target in zip(trees, targets, strict=True):
        roots.append(nodes)
        if tree.n_leaves == 1:
            leaf = np.array([~0], dtype=np.int64)
            left = right = leaf
            feature, nan_left = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
            thresholds.append(np.zeros(1))
        else:
            left, right, feature = tree.left, tree.right, tree.feature
            nan_left = tree.nan_left.astype(np.int64)
            thresholds.append(tree.threshold)
        parts["feature"].append(feature)
        parts["nan"].append(nan_left)
        for child, ids, flags in ((left, "ti", "tl"), (right, "fi", "fl")):
            is_leaf = child < 0
            parts[ids].append(np.where(is_leaf, ~child + leaves, child + nodes))
            parts[flags].append(is_leaf.astype(np.int64))
        parts["target"].append(np.full(tree.n_leaves, target, dtype=np.int64))
        nodes += len(feature)
        leaves += tree.n_leaves
    joined = {key: np.concatenate(chunks) for key, chunks in parts.items()}
    return EnsembleArrays(
        roots=np.array(roots, dtype=np.int64),
        feature=joined["feature"],
        threshold=np.concatenate(thresholds),
        nan_tracks_true=joined["nan"],
        true_id=joined["ti"],
        true_is_leaf=joined["tl"],
        false_id=joined["fi"],
        false_is_leaf=joined["fl"],
        leaf_target=joined["target"],
    )
