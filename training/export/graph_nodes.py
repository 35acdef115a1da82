"""Writes the nodes of a bundle's graph: trees to hazards, hazards to probabilities, leaves to reasons.

`graph` beside this module says why the plan is this one, and puts the parts together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from training.export.errors import ExportError
from training.export.graph_writer import GraphWriter, Output, pick_columns, split_columns
from training.export.interval_weights import SMALLEST
from training.export.trees import ensemble_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.export.curves import Curve
    from training.export.forest import Forest
    from training.export.interval_weights import Base
    from training.heads.hazard import HazardHead, Platt

EXPLAIN_NAME = "explain"
LOG_ODDS = "log_odds"
HAZARDS = "hazards"
STEPS = "steps"
LEAVES = "leaves"


def contributions_output(head: str) -> str:
    """Return the name of the contributions output of *head*."""
    return f"{head}_contributions"


def column_of(heads: Sequence[HazardHead], head: int, at: int) -> int:
    """Return the column of `LOG_ODDS` and `HAZARDS` of interval *at* of head number *head*; intervals come first."""
    return at * len(heads) + head


def hazard_nodes(writer: GraphWriter, heads: Sequence[HazardHead], forest: Forest, n_features: int) -> None:
    """Write features -> steps and leaves -> `LOG_ODDS` and `HAZARDS`, interval by interval, in each head by head.

    Raises:
        ExportError: Heads have different horizons.
    """
    if any(head.horizons_days != heads[0].horizons_days for head in heads):
        raise ExportError("all heads of a graph should have the same horizons")
    columns = [
        (forest.intervals[head.name][at], head.calibrations[at])
        for at in range(len(heads[0].horizons_days))
        for head in heads
    ]
    boosters = [booster for booster, _ in columns]
    of_head = [head for _ in heads[0].horizons_days for head in heads]
    slopes = np.array([platt.slope for _, platt in columns])
    _leaf_nodes(writer, forest, n_features)
    log_odds = writer.constant("intercepts", np.array([platt.intercept for _, platt in columns]))
    if forest.curves:
        # Each step has a row of what it adds to each interval; the row before the first is of no curve.
        steps = [
            np.zeros((1, len(columns))),
            *(
                curve.values[:, boosters] * slopes
                + np.column_stack(
                    [_offsets(curve, head, platt) for head, (_, platt) in zip(of_head, columns, strict=True)]
                )
                for curve in forest.curves
            ),
        ]
        writer.node("Gather", [writer.constant("step_values", np.concatenate(steps)), STEPS], "curve_values")
        over_curves = writer.constant("over_curves", np.array([1], dtype=np.int64))
        writer.node("ReduceSum", ["curve_values", over_curves], "curve_log_odds", keepdims=0)
        name = "shifted_curve_log_odds" if forest.trees else LOG_ODDS
        log_odds = writer.node("Add", ["curve_log_odds", log_odds], name)
    if forest.trees:
        values = writer.constant("leaf_values", np.concatenate([one.tree.leaf_value for one in forest.trees]))
        writer.node("Gather", [values, LEAVES], "tree_values")
        # One matrix sums each booster's trees and applies the slope of each interval's calibration.
        uses = np.array([one.uses[boosters] for one in forest.trees])
        weights = writer.constant("tree_slopes", uses * slopes)
        writer.node("Gemm", ["tree_values", weights, log_odds], LOG_ODDS)
    writer.node("Sigmoid", [LOG_ODDS], HAZARDS)


def _offsets(curve: Curve, head: HazardHead, calibration: Platt) -> NDArray[np.float64]:
    """Return what segments of an own intercept add to one interval of *head* at each step of *curve*, shape (m,)."""
    if curve.feature != head.segment_column:
        return np.zeros(len(curve.points))
    return calibration.offset(curve.points)


def probability_nodes(writer: GraphWriter, heads: Sequence[HazardHead]) -> None:
    """Write `HAZARDS` -> an output of each head, by its name; all heads are composed at once, in few nodes."""
    horizons = heads[0].horizons_days
    hazards = [f"hazards_{days}d" for days in horizons]
    split_columns(writer, HAZARDS, hazards, width=len(heads))
    composition_nodes(writer, "probabilities", horizons, hazards)
    for number, head in enumerate(heads):
        columns = [column_of(heads, number, at) for at in range(len(horizons))]
        pick_columns(writer, "probabilities", columns, head.name)


def _leaf_nodes(writer: GraphWriter, forest: Forest, n_features: int) -> None:
    """Write features -> `STEPS`, shape (n, n_features), and `LEAVES`, shape (n, trees), of what there is.

    A feature's step is the row of its curve's step in the tables, and 0 for a feature without a curve: a target of
    the ensemble that no leaf adds to is 0.
    """
    curves, trees = [curve.tree for curve in forest.curves], [one.tree for one in forest.trees]
    width = n_features if curves else 0
    targets = [*(curve.feature for curve in forest.curves), *range(width, width + len(trees))]
    arrays = ensemble_arrays([*curves, *trees], targets)
    n_steps = sum(tree.n_leaves for tree in curves)
    numbers = np.concatenate([np.arange(1, n_steps + 1), np.arange(len(arrays.leaf_target) - n_steps)])

    writer.ensemble(arrays, numbers.astype(np.float64), width + len(trees), "leaf_numbers")
    both = bool(curves and trees)
    writer.node(
        "Cast", ["leaf_numbers"], "numbers" if both else STEPS if curves else LEAVES, to=TensorProto.INT32
    )
    if both:
        sizes = writer.constant("curves_and_trees", np.array([width, len(trees)], dtype=np.int64))
        writer.nodes.append(helper.make_node("Split", ["numbers", sizes], [STEPS, LEAVES], axis=1))


def composition_nodes(
    writer: GraphWriter, output: str, horizons_days: Sequence[int], hazards: Sequence[str]
) -> None:
    """Write hazards of shape (n, w) each -> *output*, shape (n, w * horizons): probabilities by each horizon.

    `P_k = P_{k-1} + h_k (1 - P_{k-1})` equals `1 - prod(1 - h)`, keeps all digits of small probabilities, and
    cannot fall along k nor exceed 1 in floating point.
    """
    one = writer.constant(f"{output}_one", np.ones((1, 1)))
    probabilities = [hazards[0]]
    for days, hazard in zip(horizons_days[1:], hazards[1:], strict=True):
        before = probabilities[-1]
        stayed = writer.node("Sub", [one, before], f"{hazard}_stayed_before")
        new = writer.node("Mul", [hazard, stayed], f"{hazard}_new")
        probabilities.append(writer.node("Add", [before, new], f"{output}_by_{days}d"))
    writer.node("Concat", probabilities, output, axis=1)


def contribution_nodes(
    writer: GraphWriter,
    head: HazardHead,
    forest: Forest,
    base: Base,
    *,
    table: NDArray[np.float64],
    hazards: Sequence[int],
    width: int,
) -> None:
    """Write steps and leaves -> contributions of the first `len(hazards)` intervals, run if `explain` is true.

    Args:
        writer: Where to.
        head: The head.
        forest: The trees of all heads.
        base: What the contributions start from.
        table: Shape (leaves, features), the contributions of the trees that those intervals use.
        hazards: Columns of their hazards; the probability by the end of the last one is explained.
        width: Columns of the hazards of all heads.
    """
    boosters = list(forest.intervals[head.name][: len(hazards)])
    slopes = np.array([platt.slope for platt in head.calibrations[: len(hazards)]])
    explain = GraphWriter()
    _weight_nodes(explain, head, base, hazards, width)
    explain.node("Cast", ["interval_weights"], "interval_weights_float", to=TensorProto.FLOAT)
    parts = []
    if forest.curves:
        explained_platts = head.calibrations[: len(hazards)]
        steps = [
            (curve.values - curve.expected)[:, boosters] * slopes
            + np.column_stack([_offsets(curve, head, platt) for platt in explained_platts])
            for curve in forest.curves
        ]
        rows = np.concatenate([np.zeros((1, len(boosters))), *steps]).astype(np.float32)
        last = explain.constant("last_axis", np.array([2], dtype=np.int64))
        explain.node("Unsqueeze", ["interval_weights_float", last], "interval_weights_column")
        explain.node("Gather", [explain.constant("step_contributions", rows), STEPS], "curve_contributions")
        explain.node("MatMul", ["curve_contributions", "interval_weights_column"], "weighted_curves")
        parts.append(explain.node("Squeeze", ["weighted_curves", last], "explained_curves"))
    trees = forest.trees_of(boosters)
    if not parts or table.any():  # trees without a split have nothing to tell
        uses = np.array([one.uses[boosters] for one in trees])
        weights = explain.constant("explained_tree_slopes", (uses * slopes).T.astype(np.float32))
        explain.node("MatMul", ["interval_weights_float", weights], "tree_weights")
        axis = explain.constant("axis_one", np.array([1], dtype=np.int64))
        explain.node("Unsqueeze", ["tree_weights", axis], "tree_weights_row")
        explained = LEAVES
        if len(trees) < len(forest.trees):
            zero = explain.constant("first_tree", np.array([0], dtype=np.int64))
            stop = explain.constant("explained_trees", np.array([len(trees)], dtype=np.int64))
            explained = explain.node("Slice", [LEAVES, zero, stop, axis], "explained_leaves")
        contributions = explain.constant("leaf_contributions", table.astype(np.float32))
        explain.node("Gather", [contributions, explained], "tree_contributions")
        explain.node("MatMul", ["tree_weights_row", "tree_contributions"], "summed_contributions")
        parts.append(explain.node("Squeeze", ["summed_contributions", axis], "explained_trees_sum"))
    told = parts[0] if len(parts) == 1 else explain.node("Sum", parts, "explained")
    output = Output(contributions_output(head.name), "explained_accounts", table.shape[1], TensorProto.FLOAT)
    writer.switched(EXPLAIN_NAME, explain, [(told, output)])


def _weight_nodes(
    writer: GraphWriter, head: HazardHead, base: Base, columns: Sequence[int], width: int
) -> None:
    """Write `LOG_ODDS`, `HAZARDS` and the head's probabilities -> `interval_weights`; see `interval_weights`.

    One matrix makes all rises and runs, another one multiplies and divides them as logarithms: nodes cost more than
    numbers, a microsecond each.

    Args:
        writer: Where to.
        head: The head.
        base: What the row is compared with.
        columns: Of the explained intervals.
        width: Columns of all intervals.
    """
    count, horizons = len(columns), len(head.horizons_days)
    stayed = writer.node("Sub", [writer.constant("certainty", np.ones((1, 1))), HAZARDS], "stayed")
    writer.node("Concat", [stayed, head.name], "chances", axis=1)
    writer.node(
        "Max", ["chances", writer.constant("least_chance", np.full((1, 1), SMALLEST))], "told_chances"
    )
    writer.node("Log", ["told_chances"], "log_chances")
    writer.node("Concat", [LOG_ODDS, "log_chances"], "from_zero", axis=1)
    moves = np.zeros((2 * width + horizons, 2 * count + 2))
    powers = np.zeros((2 * count + 2, count))
    for at, column in enumerate(columns):
        moves[width + column, [at, 2 * count, 2 * count + 1]] = -1.0
        moves[column, count + at] = 1.0
        powers[[at, count + at, 2 * count, 2 * count + 1], at] = 1.0, -1.0, 1.0, -1.0
    moves[2 * width + count - 1, 2 * count] = 1.0
    names = [writer.constant("moves", moves), writer.constant("moves_of_base", base.moves)]
    writer.node("Gemm", ["from_zero", *names], "from_base")
    writer.node("Abs", ["from_base"], "far")
    writer.node("Max", ["far", writer.constant("near", base.least_moves)], "told_far")
    writer.node("Log", ["told_far"], "log_far")
    writer.node("MatMul", ["log_far", writer.constant("powers", powers)], "log_weights")
    writer.node("Exp", ["log_weights"], "interval_weights")
