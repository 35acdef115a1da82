"""Writes the interval of each probability: factors looked up by leaf, summed, squared, and added to the log-odds.

With `A` the factors of `training.uncertainty` the reach of hazard interval j is
`z sqrt((g_j slope_j)^2 sum_c (sum_t A[leaf_t, c])^2 + f_j^2)`: one gather over steps and one over leaves, one matrix
that counts each tree as often as a booster has it, a sum of squares, one matrix to intervals, and a root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.export.curves import leaves_at, only_feature
from training.export.errors import ExportError
from training.export.graph_nodes import LEAVES, LOG_ODDS, STEPS, column_of, composition_nodes
from training.export.graph_writer import GraphWriter, Output, pick_columns, split_columns
from training.export.trees import read_trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from training.definitions import HeadName
    from training.export.forest import Forest
    from training.heads.hazard import HazardHead
    from training.uncertainty.intervals import Uncertainty

INTERVALS_NAME = "intervals"
_SAME = 1e-9


def low_output(head: str) -> str:
    """Return the name of the output with the lower ends of *head*."""
    return f"{head}_low"


def high_output(head: str) -> str:
    """Return the name of the output with the upper ends of *head*."""
    return f"{head}_high"


@dataclass(frozen=True, slots=True)
class FactorTables:
    """Factors as the graph looks them up; b boosters, r factors each.

    Attributes:
        steps: Shape (1 + steps of all curves, b, r); the first row is of no curve.
        leaves: Shape (leaves of all other trees, r).
        constant: Shape (b, r): of trees without a split, where no curve could take it up.
    """

    steps: NDArray[np.float64]
    leaves: NDArray[np.float64]
    constant: NDArray[np.float64]

    @property
    def boosters(self) -> int:
        """Number of boosters, b."""
        return int(self.constant.shape[0])

    @property
    def rank(self) -> int:
        """Factors a booster, r."""
        return int(self.constant.shape[1])


def factor_tables(
    forest: Forest, heads: Sequence[HazardHead], uncertainty: Mapping[HeadName, Uncertainty]
) -> FactorTables:
    """Return the factors of *forest*, merged like its trees.

    Raises:
        ExportError: Boosters that share a tree disagree about its factors.
    """
    by_booster = {
        booster: factors
        for head in heads
        for booster, factors in zip(forest.intervals[head.name], uncertainty[head.name].factors, strict=True)
    }
    rank = max(factors.shape[1] for factors in by_booster.values())
    curves = {
        curve.feature: np.zeros((len(curve.points), len(forest.boosters), rank)) for curve in forest.curves
    }
    points = {curve.feature: curve.points for curve in forest.curves}
    constant = np.zeros((len(forest.boosters), rank))
    shared: dict[bytes, list[NDArray[np.float64]]] = {}
    for number, booster in enumerate(forest.boosters):
        start = 0
        own: dict[bytes, list[NDArray[np.float64]]] = {}
        for tree in read_trees(booster):
            rows = np.zeros((tree.n_leaves, rank))
            rows[:, : by_booster[number].shape[1]] = by_booster[number][start : start + tree.n_leaves]
            start += tree.n_leaves
            feature = only_feature(tree)
            if feature is not None:
                curves[feature][:, number] += rows[leaves_at(tree, points[feature])]
            elif tree.n_leaves == 1:
                constant[number] += rows[0]
            else:
                own.setdefault(tree.fingerprint(), []).append(rows)
        for key, found in own.items():
            shared.setdefault(key, []).append(np.mean(found, axis=0))
    leaves = []
    for one in forest.trees:
        blocks = shared.get(one.tree.fingerprint(), [np.zeros((one.tree.n_leaves, rank))])
        spread = max(float(np.abs(block - blocks[0]).max()) for block in blocks)
        if spread > _SAME * max(1.0, float(np.abs(blocks[0]).max())):
            raise ExportError(
                f"boosters that share a tree have factors for it that differ by {spread:g}; "
                "fit the uncertainty of all intervals of a head together"
            )
        leaves.append(blocks[0])
    none = np.zeros((1, len(forest.boosters), rank))
    if forest.curves:  # every row is on some step of the first curve
        curves[forest.curves[0].feature] += constant
        constant = np.zeros_like(constant)
    return FactorTables(
        steps=np.concatenate([none, *(curves[curve.feature] for curve in forest.curves)]),
        leaves=np.concatenate([np.zeros((0, rank)), *leaves]),
        constant=constant,
    )


def interval_nodes(
    writer: GraphWriter,
    heads: Sequence[HazardHead],
    forest: Forest,
    uncertainty: Mapping[HeadName, Uncertainty],
) -> int:
    """Write steps, leaves and log-odds -> ends of intervals; return the bytes a row of the largest tensor.

    Args:
        writer: Where to.
        heads: In the order of the columns of the log-odds.
        forest: Their trees.
        uncertainty: Of each of them.

    Raises:
        ExportError: As `factor_tables`.
    """
    tables = factor_tables(forest, heads, uncertainty)
    inner = GraphWriter()
    _power_nodes(inner, forest, tables)
    outputs = end_nodes(
        inner,
        [(uncertainty[head.name], forest.intervals[head.name]) for head in heads],
        powers="factor_powers",
        boosters=tables.boosters,
        log_odds=LOG_ODDS,
        rows="accounts_with_intervals",
    )
    writer.switched(INTERVALS_NAME, inner, outputs)
    n_features = max((curve.feature for curve in forest.curves), default=-1) + 1
    return 8 * tables.rank * max(n_features * tables.boosters, len(forest.trees))


def end_nodes(
    writer: GraphWriter,
    told: Sequence[tuple[Uncertainty, Sequence[int]]],
    *,
    powers: str,
    boosters: int,
    log_odds: str,
    rows: str,
    prefix: str = "",
) -> list[tuple[str, Output]]:
    """Write sums of squared factors and log-odds -> ends of intervals; return them with the outputs they make.

    Args:
        writer: Where to.
        told: How sure each head is, in the order of the columns of the log-odds, and the booster of each interval.
        powers: Tensor of shape (n, boosters).
        boosters: Number of boosters.
        log_odds: Tensor of shape (n, heads * horizons), columns as `column_of` numbers them.
        rows: What the rows of the outputs are called.
        prefix: Of the names of all tensors that a second use would write again.
    """
    heads = [sure.head for sure, _ in told]
    horizons = heads[0].horizons_days
    # Columns go horizon by horizon, in each the lower ends of all heads, then the upper ones: so one small matrix a
    # horizon composes everything at once, and a graph of few nodes is fast.
    columns = [
        (number, sign, at)
        for at in range(len(horizons))
        for sign in (-1.0, 1.0)
        for number in range(len(heads))
    ]
    weights, floors = np.zeros((boosters, len(columns))), np.zeros(len(columns))
    for column, (number, _, at) in enumerate(columns):
        sure, of_interval = told[number]
        weights[of_interval[at], column] = (
            sure.z * sure.scale[at] * heads[number].calibrations[at].slope
        ) ** 2
        floors[column] = (sure.z * sure.floor[at]) ** 2

    def named(name: str) -> str:
        return prefix + name

    names = [
        writer.constant(named("factor_weights"), weights),
        writer.constant(named("factor_floors"), floors),
    ]
    writer.node("Gemm", [powers, *names], named("squared_reach"))
    writer.node("Sqrt", [named("squared_reach")], named("reach"))
    signs = writer.constant(named("end_signs"), np.array([[sign for _, sign, _ in columns]]))
    writer.node("Mul", [named("reach"), signs], named("signed_reach"))
    middle = [column_of(heads, number, at) for number, _, at in columns]
    pick_columns(writer, log_odds, middle, named("middle_log_odds"))
    writer.node("Add", [named("middle_log_odds"), named("signed_reach")], named("end_log_odds"))
    writer.node("Sigmoid", [named("end_log_odds")], named("end_hazards"))
    ends = 2 * len(heads)
    hazards = [named(f"end_hazards_{days}d") for days in horizons]
    split_columns(writer, named("end_hazards"), hazards, width=ends)
    composition_nodes(writer, named("ends"), horizons, hazards)
    outputs = []
    for place, name in enumerate(
        [*(low_output(head.name) for head in heads), *(high_output(head.name) for head in heads)]
    ):
        pick_columns(
            writer, named("ends"), [at * ends + place for at in range(len(horizons))], f"made_{name}"
        )
        outputs.append((f"made_{name}", Output(name, rows, len(horizons))))
    return outputs


def _power_nodes(writer: GraphWriter, forest: Forest, tables: FactorTables) -> None:
    """Write steps and leaves -> the sum of squared factors of each booster, shape (n, b)."""
    parts = []
    if forest.curves:
        turned = tables.steps.transpose(0, 2, 1).reshape(len(tables.steps), -1)
        writer.node("Gather", [writer.constant("step_factors", turned), STEPS], "curve_factors")
        over = writer.constant("over_curve_factors", np.array([1], dtype=np.int64))
        writer.node("ReduceSum", ["curve_factors", over], "summed_curve_factors", keepdims=0)
        shape = writer.constant("factor_shape", np.array([0, tables.rank, tables.boosters], dtype=np.int64))
        parts.append(writer.node("Reshape", ["summed_curve_factors", shape], "factors_of_curves"))
    if forest.trees:
        # ONNX Runtime can't multiply stacks of no matrices: whoever has no rows must not ask.
        writer.node("Gather", [writer.constant("leaf_factors", tables.leaves), LEAVES], "tree_factors")
        writer.node("Transpose", ["tree_factors"], "factors_by_tree", perm=[0, 2, 1])
        uses = np.array([one.uses for one in forest.trees], dtype=np.float64)
        parts.append(
            writer.node("MatMul", ["factors_by_tree", writer.constant("tree_uses", uses)], "factors_of_trees")
        )
    if tables.constant.any():
        parts.append(writer.constant("constant_factors", tables.constant.T[None].copy()))
    factors = parts[0] if len(parts) == 1 else writer.node("Sum", parts, "factors")
    over = writer.constant("over_factors", np.array([1], dtype=np.int64))
    writer.node("ReduceSumSquare", [factors, over], "factor_powers", keepdims=0)
