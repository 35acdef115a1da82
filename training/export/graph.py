"""Builds the one ONNX graph of a bundle: every head, its calibration and the reasons for the churn score.

One `TreeEnsemble` (ai.onnx.ml 5, float64) walks all trees once. Each tree is a target of its own and each
leaf weighs its number, so the node gives leaf numbers; values and contributions are then looked up by them.
Measured with 900 trees of 31 leaves and 60 features (one thread): a second ensemble that gives margins
directly costs 30 us a row more than the look-up, and contributions in float64 instead of float32 cost 15 us a
row and twice the size, for digits nobody reads.

The boolean input `explain` has a default (true) and need not be given. ONNX Runtime executes every node
whichever outputs are asked for, so a caller who wants no contributions says `explain=False` and the branch is
not run.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.export.contributions import leaf_table
from training.export.errors import ExportError
from training.export.trees import Tree, ensemble_arrays, read_trees

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


@dataclass(frozen=True, slots=True)
class _Boosters:
    """The distinct boosters in graph order, their trees, and which booster each head's intervals use."""

    boosters: tuple[lgb.Booster, ...]
    trees: tuple[tuple[Tree, ...], ...]
    intervals: dict[str, tuple[int, ...]]

    def span(self, booster: int) -> slice:
        """Return the columns of one booster's trees among all trees."""
        start = sum(len(trees) for trees in self.trees[:booster])
        return slice(start, start + len(self.trees[booster]))


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
    writer = _GraphWriter()
    hazards = _hazard_nodes(writer, ordered, boosters)
    probabilities: dict[str, tuple[str, ...]] = {
        head.name: _composition_nodes(writer, head, hazards[head.name]) for head in ordered
    }
    _contribution_nodes(
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


def _distinct_boosters(heads: Sequence[HazardHead], n_features: int) -> _Boosters:
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
    return _Boosters(tuple(boosters), tuple(trees), intervals)


class _GraphWriter:
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


def _hazard_nodes(
    writer: _GraphWriter, heads: Sequence[HazardHead], boosters: _Boosters
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


def _composition_nodes(writer: _GraphWriter, head: HazardHead, hazards: Sequence[str]) -> tuple[str, ...]:
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


def _contribution_nodes(
    writer: _GraphWriter,
    head: HazardHead,
    boosters: _Boosters,
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
    explain = _GraphWriter()
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
    silent = _GraphWriter()
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
