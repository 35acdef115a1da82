"""Writes the nodes of a bundle's graph: trees to hazards, hazards to probabilities, leaves to reasons.

`graph` beside this module says why the plan is this one, and puts the parts together.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.export.trees import ensemble_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.export.forest import Forest
    from training.heads.hazard import HazardHead

INPUT_NAME = "features"
EXPLAIN_NAME = "explain"
OPSET = 21
ML_OPSET = 5
IR_VERSION = 10
STEPS = "steps"
LEAVES = "leaves"
# P is zero only when every hazard underflows to zero (margins below -745); the weights h / P are then zero,
# not NaN.
SMALLEST_PROBABILITY = 1e-300
_Attribute: TypeAlias = str | int | list[int] | onnx.TensorProto | onnx.GraphProto


def contributions_output(head: str) -> str:
    """Return the name of the contributions output of *head*."""
    return f"{head}_contributions"


class GraphWriter:
    """Collects the nodes and constants of one graph; mutable, because a graph is built by appending."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: _Attribute) -> str:
        """Add a node with one output and return that output's name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def model(
        self, heads: Sequence[HazardHead], features: Sequence[str], contributions: str, counts: dict[str, int]
    ) -> onnx.ModelProto:
        """Return the finished, checked model; *counts* go into its metadata."""
        n_features = len(features)
        tensor = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "keepgrow",
            [
                tensor(INPUT_NAME, TensorProto.DOUBLE, ["accounts", n_features]),
                tensor(EXPLAIN_NAME, TensorProto.BOOL, []),
            ],
            [
                *(
                    tensor(head.name, TensorProto.DOUBLE, ["accounts", len(head.horizons_days)])
                    for head in heads
                ),
                tensor(contributions, TensorProto.FLOAT, ["explained_accounts", n_features]),
            ],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="keepgrow"
        )
        numbers = {key: str(count) for key, count in counts.items()}
        helper.set_model_props(model, {"features": "\n".join(features), **numbers})
        onnx.checker.check_model(model, full_check=True)
        return model


def hazard_nodes(
    writer: GraphWriter, heads: Sequence[HazardHead], forest: Forest, n_features: int
) -> dict[str, tuple[str, ...]]:
    """Write features -> steps and leaves -> hazards; return each head's hazard tensors, shape (n, 1) each."""
    columns = [
        (booster, platt)
        for head in heads
        for booster, platt in zip(forest.intervals[head.name], head.calibrations, strict=True)
    ]
    boosters = [booster for booster, _ in columns]
    slopes = np.array([platt.slope for _, platt in columns])
    _leaf_nodes(writer, forest, n_features)
    log_odds = writer.constant("intercepts", np.array([platt.intercept for _, platt in columns]))
    if forest.curves:
        # Each step has a row of what it adds to each interval; the row before the first is of no curve.
        steps = [
            np.zeros((1, len(columns))),
            *(curve.values[:, boosters] * slopes for curve in forest.curves),
        ]
        writer.node("Gather", [writer.constant("step_values", np.concatenate(steps)), STEPS], "curve_values")
        over_curves = writer.constant("over_curves", np.array([1], dtype=np.int64))
        writer.node("ReduceSum", ["curve_values", over_curves], "curve_log_odds", keepdims=0)
        log_odds = writer.node("Add", ["curve_log_odds", log_odds], "main_log_odds")
    if forest.trees:
        values = writer.constant("leaf_values", np.concatenate([one.tree.leaf_value for one in forest.trees]))
        writer.node("Gather", [values, LEAVES], "tree_values")
        # One matrix sums each booster's trees and applies the slope of each interval's calibration.
        uses = np.array([one.uses[boosters] for one in forest.trees])
        weights = writer.constant("tree_slopes", uses * slopes)
        log_odds = writer.node("Gemm", ["tree_values", weights, log_odds], "log_odds")
    writer.node("Sigmoid", [log_odds], "hazards")
    names: dict[str, tuple[str, ...]] = {
        head.name: tuple(f"{head.name}_hazard_{days}d" for days in head.horizons_days) for head in heads
    }
    every = list(itertools.chain.from_iterable(names.values()))
    sizes = writer.constant("one_each", np.ones(len(every), dtype=np.int64))
    writer.nodes.append(helper.make_node("Split", ["hazards", sizes], every, axis=1))
    return names


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

    def tensor(name: str, value: NDArray[Any]) -> onnx.TensorProto:
        return numpy_helper.from_array(value, name)

    writer.node(
        "TreeEnsemble",
        [INPUT_NAME],
        "leaf_numbers",
        domain="ai.onnx.ml",
        n_targets=width + len(trees),
        aggregate_function=1,
        post_transform=0,
        tree_roots=arrays.roots.tolist(),
        nodes_featureids=arrays.feature.tolist(),
        nodes_splits=tensor("nodes_splits", arrays.threshold),
        nodes_modes=tensor("nodes_modes", np.zeros(len(arrays.feature), dtype=np.uint8)),  # 0 is BRANCH_LEQ
        nodes_missing_value_tracks_true=arrays.nan_tracks_true.tolist(),
        nodes_truenodeids=arrays.true_id.tolist(),
        nodes_trueleafs=arrays.true_is_leaf.tolist(),
        nodes_falsenodeids=arrays.false_id.tolist(),
        nodes_falseleafs=arrays.false_is_leaf.tolist(),
        leaf_targetids=arrays.leaf_target.tolist(),
        leaf_weights=tensor("leaf_weights", numbers.astype(np.float64)),
    )
    both = bool(curves and trees)
    writer.node(
        "Cast", ["leaf_numbers"], "numbers" if both else STEPS if curves else LEAVES, to=TensorProto.INT32
    )
    if both:
        sizes = writer.constant("curves_and_trees", np.array([width, len(trees)], dtype=np.int64))
        writer.nodes.append(helper.make_node("Split", ["numbers", sizes], [STEPS, LEAVES], axis=1))


def composition_nodes(writer: GraphWriter, head: HazardHead, hazards: Sequence[str]) -> tuple[str, ...]:
    """Write hazards -> probabilities; return the probability tensors of each horizon, shape (n, 1) each.

    `P_k = P_{k-1} + h_k (1 - P_{k-1})` equals `1 - prod(1 - h)`, keeps all digits of small probabilities, and
    cannot fall along k nor exceed 1 in floating point.
    """
    one = writer.constant(f"{head.name}_one", np.ones((1, 1)))
    probabilities = [hazards[0]]
    for days, hazard in zip(head.horizons_days[1:], hazards[1:], strict=True):
        before = probabilities[-1]
        stayed = writer.node("Sub", [one, before], f"{hazard}_stayed_before")
        new = writer.node("Mul", [hazard, stayed], f"{hazard}_new")
        probabilities.append(writer.node("Add", [before, new], f"{head.name}_by_{days}d"))
    writer.node("Concat", probabilities, head.name, axis=1)
    return tuple(probabilities)


def contribution_nodes(
    writer: GraphWriter,
    head: HazardHead,
    forest: Forest,
    *,
    table: NDArray[np.float64],
    hazards: Sequence[str],
    probability: str,
) -> None:
    """Write steps and leaves -> contributions of the first `len(hazards)` intervals, run if `explain` is true.

    Args:
        writer: Where to.
        head: The head.
        forest: The trees of all heads.
        table: Shape (leaves, features), the contributions of the trees that those intervals use.
        hazards: Names of their hazards.
        probability: Name of the probability that is explained.
    """
    boosters = list(forest.intervals[head.name][: len(hazards)])
    slopes = np.array([platt.slope for platt in head.calibrations[: len(hazards)]])
    explain = GraphWriter()
    tiny = explain.constant("smallest_probability", np.full((1, 1), SMALLEST_PROBABILITY))
    shares = explain.node("Concat", hazards, "scored_hazards", axis=1)
    floor = explain.node("Max", [probability, tiny], "scored_probability")
    explain.node("Div", [shares, floor], "interval_weights")
    parts = []
    if forest.curves:
        steps = [(curve.values - curve.expected)[:, boosters] * slopes for curve in forest.curves]
        rows = np.concatenate([np.zeros((1, len(boosters))), *steps]).astype(np.float32)
        last = explain.constant("last_axis", np.array([2], dtype=np.int64))
        explain.node("Cast", ["interval_weights"], "interval_weights_float", to=TensorProto.FLOAT)
        explain.node("Unsqueeze", ["interval_weights_float", last], "interval_weights_column")
        explain.node("Gather", [explain.constant("step_contributions", rows), STEPS], "curve_contributions")
        explain.node("MatMul", ["curve_contributions", "interval_weights_column"], "weighted_curves")
        parts.append(explain.node("Squeeze", ["weighted_curves", last], "explained_curves"))
    trees = forest.trees_of(boosters)
    if trees:
        uses = np.array([one.uses[boosters] for one in trees])
        weights = explain.constant("explained_tree_slopes", (uses * slopes).T)
        explain.node("MatMul", ["interval_weights", weights], "tree_weights")
        explain.node("Cast", ["tree_weights"], "tree_weights_float", to=TensorProto.FLOAT)
        axis = explain.constant("axis_one", np.array([1], dtype=np.int64))
        explain.node("Unsqueeze", ["tree_weights_float", axis], "tree_weights_row")
        explained = LEAVES
        if len(trees) < len(forest.trees):
            zero = explain.constant("first_tree", np.array([0], dtype=np.int64))
            stop = explain.constant("explained_trees", np.array([len(trees)], dtype=np.int64))
            explained = explain.node("Slice", [LEAVES, zero, stop, axis], "explained_leaves")
        contributions = explain.constant("leaf_contributions", table.astype(np.float32))
        explain.node("Gather", [contributions, explained], "tree_contributions")
        explain.node("MatMul", ["tree_weights_row", "tree_contributions"], "summed_contributions")
        parts.append(explain.node("Squeeze", ["summed_contributions", axis], "explained_trees_sum"))
    explain.node("Sum", parts, "explained")
    silent = GraphWriter()
    nothing = np.zeros((0, table.shape[1]), dtype=np.float32)
    silent.node("Constant", [], "unexplained", value=numpy_helper.from_array(nothing, "no_contributions"))
    writer.constants.extend(explain.constants)
    writer.constant(EXPLAIN_NAME, np.array(True))

    def branch(name: str, nodes: list[onnx.NodeProto], output: str) -> onnx.GraphProto:
        info = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, table.shape[1]])
        return helper.make_graph(nodes, name, [], [info])

    writer.node(
        "If",
        [EXPLAIN_NAME],
        contributions_output(head.name),
        then_branch=branch("with_reasons", explain.nodes, "explained"),
        else_branch=branch("without_reasons", silent.nodes, "unexplained"),
    )
