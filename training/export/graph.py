"""Builds the one ONNX graph of a bundle: every head, its calibration and the reasons for the churn score.

One `TreeEnsemble` (ai.onnx.ml 5, float64) walks all trees once. Each tree is a target of its own and each
leaf weighs its number, so the node gives leaf numbers; values and contributions are then looked up by them.
Measured with 900 trees of 31 leaves and 60 features (one thread, 500 rows, CPU): 81 us a row with reasons
and 65 without. A second ensemble that gives margins directly instead of the look-up costs 15 us a row more;
contributions in float64 instead of float32 cost 37 us more and twice the size, for digits nobody reads.

The boolean input `explain` has a default (true) and need not be given. ONNX Runtime executes every node
whichever outputs are asked for, so a caller who wants no contributions says `explain=False` and the branch is
not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.export.contributions import leaf_table
from training.export.errors import ExportError
from training.export.graph_nodes import (
    INPUT_NAME,
    Boosters,
    GraphWriter,
    composition_nodes,
    contribution_nodes,
    contributions_output,
    hazard_nodes,
)
from training.export.trees import Tree, read_trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    import onnx
    from numpy.typing import NDArray

    from training.heads.hazard import HazardHead

__all__ = ["INPUT_NAME", "BundleGraph", "build_graph", "contributions_output"]


@dataclass(frozen=True, slots=True)
class BundleGraph:
    """The graph and what was counted while building it.

    Attributes:
        model: The checked ONNX model.
        outputs: Output name of each head, in order.
        explained_head: The head that has contributions.
        trees: Trees in the graph; a booster that serves several intervals counts once.
        leaves: Leaves of the explained trees.
        leaves_without_background: Those that had to use path contributions.
    """

    model: onnx.ModelProto
    outputs: tuple[str, ...]
    explained_head: str
    trees: int
    leaves: int
    leaves_without_background: int

    def serialized(self) -> bytes:
        """Return the bytes of the ONNX file."""
        data: bytes = self.model.SerializeToString()
        return data


def build_graph(
    heads: Sequence[HazardHead],
    features: Sequence[str],
    *,
    background: NDArray[np.float64],
    score_head: str,
    score_horizon_days: int,
) -> BundleGraph:
    """Return one graph of all *heads*.

    Its input `features` is float64 of shape (n, len(features)); each head's output has the head's name,
    float64 of shape (n, horizons); `<score_head>_contributions` is float32 of shape (n, len(features)), empty
    if `explain` is false. The graph's metadata names its columns (`features`, one a line) and counts its
    trees, so that a reader can check it against a contract.

    Args:
        heads: Trained heads.
        features: Names of the columns of the matrix that the boosters were trained on.
        background: Float64, shape (rows, len(features)), the population over which contributions are
            averaged.
        score_head: The head that gets contributions.
        score_horizon_days: The horizon whose probability they explain.

    Raises:
        ExportError: There is no such head or horizon, or a booster has another number of features.
        UnsupportedTreeError: A booster has something that the graph can't say.
    """
    explained = next((head for head in heads if head.name == score_head), None)
    if explained is None or score_horizon_days not in explained.horizons_days:
        raise ExportError(f"no head {score_head!r} with a horizon of {score_horizon_days} days was trained")
    ordered = [explained, *(head for head in heads if head is not explained)]
    boosters = _distinct_boosters(ordered, len(features))
    shown = explained.horizons_days.index(score_horizon_days) + 1
    used = max(boosters.intervals[score_head][:shown]) + 1  # boosters of the scored intervals come first
    tables = [
        leaf_table(booster, trees, background)
        for booster, trees in zip(boosters.boosters[:used], boosters.trees[:used], strict=True)
    ]
    writer = GraphWriter()
    hazards = hazard_nodes(writer, ordered, boosters)
    probabilities: dict[str, tuple[str, ...]] = {
        head.name: composition_nodes(writer, head, hazards[head.name]) for head in ordered
    }
    contribution_nodes(
        writer,
        explained,
        boosters,
        table=np.concatenate([table.values for table in tables]),
        hazards=hazards[score_head][:shown],
        probability=probabilities[score_head][shown - 1],
    )
    counts = {"trees": sum(map(len, boosters.trees)), "explained_trees": boosters.span(used - 1).stop}
    model = writer.model(heads, features, contributions_output(score_head), counts)
    return BundleGraph(
        model=model,
        outputs=tuple(head.name for head in heads),
        explained_head=score_head,
        trees=counts["trees"],
        leaves=sum(len(table.values) for table in tables),
        leaves_without_background=sum(table.leaves_without_background for table in tables),
    )


def _distinct_boosters(heads: Sequence[HazardHead], n_features: int) -> Boosters:
    order: dict[int, int] = {}
    boosters: list[lgb.Booster] = []
    trees: list[tuple[Tree, ...]] = []
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
            trees.append(found)
        intervals[head.name] = tuple(order[id(booster)] for booster in head.boosters)
    return Boosters(tuple(boosters), tuple(trees), intervals)
