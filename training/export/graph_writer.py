"""Writes ONNX: nodes, constants, branches that an optional input switches off, and the finished model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.export.trees import EnsembleArrays

INPUT_NAME = "features"
OPSET = 21
ML_OPSET = 5
IR_VERSION = 10
_Attribute: TypeAlias = str | int | list[int] | onnx.TensorProto | onnx.GraphProto


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the graph: its name, how its rows are called, its columns, and its ONNX type."""

    name: str
    rows: str
    columns: int
    kind: int = TensorProto.DOUBLE


class GraphWriter:
    """Collects nodes, constants, switches and outputs of one graph; mutable, because a graph is built by appending."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.switches: list[str] = []
        self.further_inputs: list[tuple[str, int]] = []
        self.outputs: list[Output] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: _Attribute) -> str:
        """Add a node with one output and return that output's name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def further_input(self, name: str, columns: int) -> str:
        """Add an optional input of *columns* numbers a row, missing if it is not given, and return its name."""
        self.constant(name, np.full((1, columns), np.nan))
        self.further_inputs.append((name, columns))
        return name

    def ensemble(
        self,
        arrays: EnsembleArrays,
        leaf_weights: NDArray[np.float64],
        n_targets: int,
        output: str,
        source: str = INPUT_NAME,
    ) -> str:
        """Add a `TreeEnsemble` over *source* whose leaf i adds `leaf_weights[i]`; return its output's name."""

        def tensor(name: str, value: NDArray[Any]) -> onnx.TensorProto:
            return numpy_helper.from_array(value, f"{output}_{name}")

        return self.node(
            "TreeEnsemble",
            [source],
            output,
            domain="ai.onnx.ml",
            n_targets=n_targets,
            aggregate_function=1,
            post_transform=0,
            tree_roots=arrays.roots.tolist(),
            nodes_featureids=arrays.feature.tolist(),
            nodes_splits=tensor("splits", arrays.threshold),
            nodes_modes=tensor("modes", np.zeros(len(arrays.feature), dtype=np.uint8)),  # 0 is BRANCH_LEQ
            nodes_missing_value_tracks_true=arrays.nan_tracks_true.tolist(),
            nodes_truenodeids=arrays.true_id.tolist(),
            nodes_trueleafs=arrays.true_is_leaf.tolist(),
            nodes_falsenodeids=arrays.false_id.tolist(),
            nodes_falseleafs=arrays.false_is_leaf.tolist(),
            leaf_targetids=arrays.leaf_target.tolist(),
            leaf_weights=tensor("leaf_weights", leaf_weights),
        )

    def switched(self, name: str, inner: GraphWriter, outputs: Sequence[tuple[str, Output]]) -> None:
        """Add a branch that runs only if the optional input *name*, true if it is not given, is true.

        Args:
            name: Of the input; several branches may have the same.
            inner: Nodes of the branch; they may read whatever was written before, and may hold further branches. What
                these give is read inside *inner*, and is an output of the graph if it stands in *outputs*.
            outputs: Tensors of the branch, and the outputs of the graph that they become. Without the branch these
                have no rows.
        """
        silent = GraphWriter()
        for _, output in outputs:
            nothing = np.zeros((0, output.columns), dtype=helper.tensor_dtype_to_np_dtype(output.kind))
            tensor = numpy_helper.from_array(nothing, f"nothing_{output.name}")
            silent.node("Constant", [], f"no_{output.name}", value=tensor)

        def branch(title: str, nodes: list[onnx.NodeProto], names: Sequence[str]) -> onnx.GraphProto:
            infos = [
                helper.make_tensor_value_info(one, output.kind, [None, output.columns])
                for one, (_, output) in zip(names, outputs, strict=True)
            ]
            return helper.make_graph(nodes, title, [], infos)

        self.constants.extend(inner.constants)
        self.switches.extend(one for one in (name, *inner.switches) if one not in self.switches)
        self.outputs.extend(output for _, output in outputs)
        made, missing = [name for name, _ in outputs], [f"no_{output.name}" for _, output in outputs]
        self.nodes.append(
            helper.make_node(
                "If",
                [name],
                [output.name for _, output in outputs],
                then_branch=branch(f"with_{name}", inner.nodes, made),
                else_branch=branch(f"without_{name}", silent.nodes, missing),
            )
        )

    def model(self, features: Sequence[str], counts: dict[str, int]) -> onnx.ModelProto:
        """Return the finished, checked model; *counts* go into its metadata."""
        tensor = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "keepgrow",
            [
                tensor(INPUT_NAME, TensorProto.DOUBLE, ["accounts", len(features)]),
                *(tensor(switch, TensorProto.BOOL, []) for switch in self.switches),
                *(tensor(one, TensorProto.DOUBLE, [f"rows_of_{one}", k]) for one, k in self.further_inputs),
            ],
            [tensor(one.name, one.kind, [one.rows, one.columns]) for one in self.outputs],
            [*self.constants, *(numpy_helper.from_array(np.array(True), name) for name in self.switches)],
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="keepgrow"
        )
        numbers = {key: str(count) for key, count in counts.items()}
        helper.set_model_props(model, {"features": "\n".join(features), **numbers})
        onnx.checker.check_model(model, full_check=True)
        return model


def split_columns(writer: GraphWriter, tensor: str, names: Sequence[str], *, width: int = 1) -> None:
    """Write the columns of *tensor*, shape (n, k * width), as k tensors of shape (n, width)."""
    sizes = writer.constant(f"{tensor}_sizes", np.full(len(names), width, dtype=np.int64))
    writer.nodes.append(helper.make_node("Split", [tensor, sizes], list(names), axis=1))


def pick_columns(writer: GraphWriter, tensor: str, columns: Sequence[int], output: str) -> str:
    """Write *columns* of *tensor*, shape (n, k), as *output*, shape (n, len(columns)); return its name."""
    index = writer.constant(f"columns_of_{output}", np.array(columns, dtype=np.int64))
    return writer.node("Gather", [tensor, index], output, axis=1)
