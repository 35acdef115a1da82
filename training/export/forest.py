"""All trees of all heads as the graph walks them: curves of one feature, and each other tree once.

Boosters of one head's intervals begin with the same trees; a tree that several have is in the graph once, and each
interval counts it as often as its booster has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.export.curves import Curve, lookup_tree, merge_trees, only_feature
from training.export.errors import ExportError
from training.export.trees import Tree, read_trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.heads.hazard import HazardHead


@dataclass(frozen=True, slots=True)
class SharedTree:
    """A tree and who has it.

    Attributes:
        tree: The tree.
        source: A booster that has it, and its place there.
        uses: Shape (boosters,), how often each booster has it.
    """

    tree: Tree
    source: tuple[int, int]
    uses: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees of b distinct boosters, merged.

    Attributes:
        boosters: The boosters.
        intervals: Which booster each interval of a head uses.
        curves: One for each feature that some tree splits on alone, or whose segments are calibrated apart, by column.
        trees: All other trees; those of the first boosters come first.
        boosted_trees: Trees that the boosters have between them, before any were merged.
    """

    boosters: tuple[lgb.Booster, ...]
    intervals: dict[str, tuple[int, ...]]
    curves: tuple[Curve, ...]
    trees: tuple[SharedTree, ...]
    boosted_trees: int

    def trees_of(self, boosters: Sequence[int]) -> tuple[SharedTree, ...]:
        """Return the trees, curves apart, that any of *boosters* has; they come first if the boosters do."""
        return tuple(one for one in self.trees if one.uses[list(boosters)].any())


def make_forest(heads: Sequence[HazardHead], n_features: int) -> Forest:
    """Return the trees of *heads*, whose matrices have *n_features* columns.

    Raises:
        ExportError: A booster has no trees, or another number of features.
        UnsupportedTreeError: A booster has something that the graph can't say.
    """
    order: dict[int, int] = {}
    boosters: list[lgb.Booster] = []
    forests: list[tuple[Tree, ...]] = []
    intervals: dict[str, tuple[int, ...]] = {}
    for head in heads:
        for days, booster in zip(head.horizons_days, head.boosters, strict=True):
            if id(booster) in order:
                continue
            name = f"the booster of {head.name} up to {days} days"
            if booster.num_feature() != n_features:
                raise ExportError(
                    f"{name} was trained on {booster.num_feature()} features; the contract has {n_features}"
                )
            found = read_trees(booster, name)
            if not found:
                raise ExportError(f"{name} has no trees")
            order[id(booster)] = len(boosters)
            boosters.append(booster)
            forests.append(found)
        intervals[head.name] = tuple(order[id(booster)] for booster in head.boosters)
    return Forest(
        boosters=tuple(boosters),
        intervals=intervals,
        curves=_curves(forests, _segment_trees(heads)),
        trees=_shared(forests),
        boosted_trees=sum(map(len, forests)),
    )


def _segment_trees(heads: Sequence[HazardHead]) -> dict[int, list[Tree]]:
    """Return trees that tell apart the segments with an intercept of their own, by column."""
    found: dict[int, list[Tree]] = {}
    for head in heads:
        if head.segment_column is not None:
            count = max(len(calibration.offsets) for calibration in head.calibrations)
            codes = np.arange(1.0, count + 1.0)
            found.setdefault(head.segment_column, []).append(lookup_tree(head.segment_column, codes, 0.0))
    return found


def _curves(forests: Sequence[Sequence[Tree]], also: Mapping[int, Sequence[Tree]]) -> tuple[Curve, ...]:
    by_feature: dict[int, list[list[Tree]]] = {feature: [[] for _ in forests] for feature in also}
    for booster, trees in enumerate(forests):
        for tree in trees:
            feature = only_feature(tree)
            if feature is not None:
                by_feature.setdefault(feature, [[] for _ in forests])[booster].append(tree)
    return tuple(
        merge_trees(feature, by_feature[feature], also.get(feature, ())) for feature in sorted(by_feature)
    )


def _shared(forests: Sequence[Sequence[Tree]]) -> tuple[SharedTree, ...]:
    found: dict[bytes, SharedTree] = {}
    for booster, trees in enumerate(forests):
        for index, tree in enumerate(trees):
            if only_feature(tree) is None:
                uses = np.zeros(len(forests), dtype=np.int64)
                one = found.setdefault(tree.fingerprint(), SharedTree(tree, (booster, index), uses))
                one.uses[booster] += 1
    return tuple(found.values())
