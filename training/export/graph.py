"""Builds the one ONNX graph of a bundle: every head, its calibration and the reasons for the churn score.

One `TreeEnsemble` (ai.onnx.ml 5, float64) walks all trees once. Each tree is a target of its own and each
leaf weighs its number, so the node gives leaf numbers; values and contributions are then looked up by them.
What looks at one feature alone was merged into a curve a feature beforehand (`curves`), and what boosters share is
walked once (`forest`). Measured with a bundle of 1,678 boosted trees, 215 after the merge, 69 features (one thread,
processor time, a busy machine): one row with reasons takes 119 us before the merge, 59 after it; 500 rows 58 and 9 ms.
Weights that make reasons add up (`interval_weights`) took 8 us more since for one row, and 40 for 500, measured with a
bundle of 73 merged trees.

The boolean inputs `explain`, `intervals`, `outlook` and `departed` have a default (true) and need not be given. ONNX
Runtime executes every node whichever outputs are asked for, so a caller who wants no contributions says `explain=False`
and the branch is not run; so do the others with what `interval_nodes`, `outlook_nodes` and `winback_nodes` write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.export.contributions import LeafTable, leaf_table
from training.export.errors import ExportError
from training.export.forest import make_forest
from training.export.graph_nodes import (
    column_of,
    contribution_nodes,
    contributions_output,
    hazard_nodes,
    probability_nodes,
)
from training.export.graph_writer import INPUT_NAME, GraphWriter, Output
from training.export.interval_nodes import interval_nodes
from training.export.interval_weights import base_of
from training.export.outlook_nodes import outlook_nodes
from training.export.winback_nodes import winback_nodes
from training.outlook_values import Outlook

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from training.export.forest import Forest, SharedTree
    from training.export.interval_weights import Base
    from training.heads.hazard import HazardHead

__all__ = ["INPUT_NAME", "BundleGraph", "build_graph", "contributions_output"]


@dataclass(frozen=True, slots=True)
class BundleGraph:
    """The graph and what was counted while building it.

    Attributes:
        model: The checked ONNX model.
        outputs: Output name of each head, in order.
        explained_head: The head that has contributions.
        trees: Trees in the graph, a curve counting as one.
        boosted_trees: Trees of the boosters that they were merged from.
        leaves: Leaves of the explained trees and steps of the curves.
        leaves_without_background: Those that had to use path contributions; steps never do.
        base: What the contributions start from.
        outlook_trees: Trees that are walked only for the outlook, merged.
        winback_trees: Trees that are walked only for accounts that have left, merged.
    """

    model: onnx.ModelProto
    outputs: tuple[str, ...]
    explained_head: str
    trees: int
    boosted_trees: int
    leaves: int
    leaves_without_background: int
    base: Base
    outlook_trees: int = 0
    winback_trees: int = 0

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
    outlook: Outlook | None = None,
) -> BundleGraph:
    """Return one graph of all *heads*.

    Its input `features` is float64 of shape (n, len(features)); each head's output has the head's name,
    float64 of shape (n, horizons); `<score_head>_contributions` is float32 of shape (n, len(features)), empty
    if `explain` is false. What *outlook* has comes beside them, empty if its switch is false. The
    graph's metadata names its columns (`features`, one a line) so that a reader can check it against a contract,
    counts its trees, and tells the bytes a row of its largest tensor.

    Args:
        heads: Trained heads.
        features: Names of the columns of the matrix that the boosters were trained on.
        background: Float64, shape (rows, len(features)), the population over which contributions are
            averaged.
        score_head: The head that gets contributions.
        score_horizon_days: The horizon whose probability they explain.
        outlook: Intervals and all that lies beyond probabilities by horizon; nothing of it if None.

    Raises:
        ExportError: There is no such head or horizon, heads have different horizons, or a booster has another number
            of features.
        UnsupportedTreeError: A booster has something that the graph can't say.
    """
    explained = next((head for head in heads if head.name == score_head), None)
    if explained is None or score_horizon_days not in explained.horizons_days:
        raise ExportError(f"no head {score_head!r} with a horizon of {score_horizon_days} days was trained")
    ordered = [explained, *(head for head in heads if head is not explained)]
    forest = make_forest(ordered, len(features))
    shown = explained.horizons_days.index(score_horizon_days) + 1
    boosters = forest.intervals[score_head][:shown]
    table = _contribution_table(forest, forest.trees_of(boosters), background)
    base = base_of(explained, forest, shown)
    writer = GraphWriter()
    hazard_nodes(writer, ordered, forest, len(features))
    probability_nodes(writer, ordered)
    writer.outputs += [Output(head.name, "accounts", len(head.horizons_days)) for head in heads]
    contribution_nodes(
        writer,
        explained,
        forest,
        base,
        table=table.values,
        hazards=[column_of(ordered, 0, at) for at in range(shown)],
        width=sum(len(head.horizons_days) for head in ordered),
    )
    further, more = outlook or Outlook(), {}
    if further.uncertainty:
        more["interval_row_bytes"] = interval_nodes(writer, ordered, forest, further.uncertainty)
    outlook_trees = 0
    if further.has_outputs:
        more["outlook_row_bytes"], outlook_trees = outlook_nodes(writer, further, ordered, len(features))
    winback_trees = 0
    if further.winback is not None:
        winback_trees = winback_nodes(writer, further.winback, further.winback_uncertainty, len(features))
    counts = {
        "trees": len(forest.curves) + len(forest.trees),
        "boosted_trees": forest.boosted_trees,
        **_row_bytes(forest, len(features), sum(map(len, forest.intervals.values())), shown, boosters),
        **more,
        "outlook_trees": outlook_trees,
        "winback_trees": winback_trees,
    }
    model = writer.model(features, counts)
    return BundleGraph(
        model=model,
        outputs=tuple(head.name for head in heads),
        explained_head=score_head,
        trees=counts["trees"],
        boosted_trees=forest.boosted_trees,
        leaves=len(table.values) + sum(len(curve.values) for curve in forest.curves),
        leaves_without_background=table.leaves_without_background,
        base=base,
        outlook_trees=outlook_trees,
        winback_trees=winback_trees,
    )


def _contribution_table(
    forest: Forest, trees: Sequence[SharedTree], background: NDArray[np.float64]
) -> LeafTable:
    """Return the contributions of all leaves of *trees*, in order."""
    tables = []
    for number, booster in enumerate(forest.boosters):
        own = {one.source[1]: one.tree for one in trees if one.source[0] == number}
        if own:
            tables.append(leaf_table(booster, own, background))
    return LeafTable(
        values=np.concatenate([np.zeros((0, background.shape[1])), *(table.values for table in tables)]),
        leaves_without_background=sum(table.leaves_without_background for table in tables),
    )


def _row_bytes(
    forest: Forest, n_features: int, intervals: int, shown: int, boosters: Sequence[int]
) -> dict[str, int]:
    """Return the size of the largest tensor a row, without and with contributions."""
    width = n_features if forest.curves else 0
    bare = 8 * max(width + len(forest.trees), width * intervals)
    return {
        "row_bytes": bare,
        "explained_row_bytes": max(bare, 4 * width * shown, 4 * len(forest.trees_of(boosters)) * n_features),
    }
