"""Writes the nodes of a bundle's graph: trees to hazards, hazards to probabilities, leaves to reasons.

`graph` beside this module says why the plan is this one, and puts the parts together.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.export.trees import Tree, ensemble_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.heads.hazard import HazardHead

INPUT_NAME = "features"
EXPLAIN_NAME = "explain"
OPSET = 21
ML_OPSET = 5
IR_VERSION = 10
# P is zero only when every hazard underflows to zero (margins below -745); the weights h / P are then zero,
# not NaN.
SMALLEST_PROBABILITY = 1e-300
_Attribute: TypeAlias = str | int | list[int] | onnx.TensorProto | onnx.GraphProto


def contributions_output(head: str) -> str:
    """Return the name of the contributions output of *head*."""
    return f"{head}_contributions"


@dataclass(frozen=True, slots=True)
class Boosters:
    """The distinct boosters in graph order, their trees, and which booster each head's intervals use."""

    boosters: tuple[lgb.Booster, ...]
    trees: tuple[tuple[Tree, ...], ...]
    intervals: dict[str, tuple[int, ...]]

    def span(self, booster: int) -> slice:
        """Return the columns of one booster's trees among all trees."""
        start = sum(len(trees) for trees in self.trees[:booster])
        return slice(start, start + len(self.trees[booster]))


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
    writer: GraphWriter, heads: Sequence[HazardHead], boosters: Boosters
) -> dict[str, tuple[str, ...]]:
    """Write features -> leaf numbers -> hazards; return each head's hazard tensors, shape (n, 1) each."""
    trees = list(itertools.chain.from_iterable(boosters.trees))
    arrays = ensemble_arrays(trees, range(len(trees)))
    n_leaves = sum(tree.n_leaves for tree in trees)

    def tensor(name: str, value: NDArray[Any]) -> onnx.TensorProto:
        return numpy_helper.from_array(value, name)

    writer.node(
        "TreeEnsemble",
        [INPUT_NAME],
        "leaf_numbers",
        domain="ai.onnx.ml",
        n_targets=len(trees),
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
        leaf_weights=tensor("leaf_weights", np.arange(n_leaves, dtype=np.float64)),
    )
    writer.node("Cast", ["leaf_numbers"], "leaves", to=TensorProto.INT32)
    values = writer.constant("leaf_values", np.concatenate([tree.leaf_value for tree in trees]))
    writer.node("Gather", [values, "leaves"], "tree_values")
    # One matrix sums each booster's trees and applies the slope of each interval's calibration.
    columns = [
        (boosters.span(booster), platt)
        for head in heads
        for booster, platt in zip(boosters.intervals[head.name], head.calibrations, strict=True)
    ]
    slopes = np.zeros((len(trees), len(columns)))
    for column, (span, platt) in enumerate(columns):
        slopes[span, column] = platt.slope
    intercepts = np.array([platt.intercept for _, platt in columns])
    writer.node(
        "Gemm",
        ["tree_values", writer.constant("slopes", slopes), writer.constant("intercepts", intercepts)],
        "log_odds",
    )
    writer.node("Sigmoid", ["log_odds"], "hazards")
    names: dict[str, tuple[str, ...]] = {
        head.name: tuple(f"{head.name}_hazard_{days}d" for days in head.horizons_days) for head in heads
    }
    every = list(itertools.chain.from_iterable(names.values()))
    sizes = writer.constant("one_each", np.ones(len(every), dtype=np.int64))
    writer.nodes.append(helper.make_node("Split", ["hazards", sizes], every, axis=1))
    return names


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
    boosters: Boosters,
    *,
    table: NDArray[np.float64],
    hazards: Sequence[str],
    probability: str,
) -> None:
    """Write leaf numbers -> contributions of the first `len(hazards)` intervals, run if `explain` is true."""
    used = boosters.intervals[head.name][: len(hazards)]
    n_trees = max(boosters.span(booster).stop for booster in used)
    slopes = np.zeros((len(hazards), n_trees))
    for row, booster in enumerate(used):
        slopes[row, boosters.span(booster)] = head.calibrations[row].slope
    explain = GraphWriter()
    tiny = explain.constant("smallest_probability", np.full((1, 1), SMALLEST_PROBABILITY))
    shares = explain.node("Concat", hazards, "scored_hazards", axis=1)
    floor = explain.node("Max", [probability, tiny], "scored_probability")
    explain.node("Div", [shares, floor], "interval_weights")
    explain.node("MatMul", ["interval_weights", explain.constant("tree_slopes", slopes)], "tree_weights")
    explain.node("Cast", ["tree_weights"], "tree_weights_float", to=TensorProto.FLOAT)
    axis = explain.constant("axis_one", np.array([1], dtype=np.int64))
    explain.node("Unsqueeze", ["tree_weights_float", axis], "tree_weights_row")
    zero = explain.constant("first_tree", np.array([0], dtype=np.int64))
    stop = explain.constant("explained_trees", np.array([n_trees], dtype=np.int64))
    explain.node("Slice", ["leaves", zero, stop, axis], "explained_leaves")
    contributions = explain.constant("leaf_contributions", table.astype(np.float32))
    explain.node("Gather", [contributions, "explained_leaves"], "tree_contributions")
    explain.node("MatMul", ["tree_weights_row", "tree_contributions"], "summed_contributions")
    explain.node("Squeeze", ["summed_contributions", axis], "explained")
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
