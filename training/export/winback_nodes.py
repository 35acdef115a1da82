"""Writes the chance that an account that has left comes back: a branch of its own, since few rows are of such accounts.

Each interval's booster is a target of one `TreeEnsemble` whose leaves hold values; a booster that intervals share is
walked once. The branch runs only if the input `departed` is true, and the one inside it that adds the interval of each
chance only if `intervals` is, too. There each factor of each booster is a target: the trees are walked once a factor,
but few accounts have left, and trees on one feature alone are one tree a factor.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from training.export.curves import merged
from training.export.graph_nodes import composition_nodes
from training.export.graph_writer import GraphWriter, Output, pick_columns, split_columns
from training.export.interval_nodes import INTERVALS_NAME, end_nodes
from training.export.outlook_nodes import Targets
from training.export.trees import ensemble_arrays, read_trees

if TYPE_CHECKING:
    from training.heads.hazard import HazardHead
    from training.uncertainty.intervals import Uncertainty

DEPARTED_NAME = "departed"
WINBACK_OUTPUT = "winback"


def winback_nodes(
    writer: GraphWriter, head: HazardHead, uncertainty: Uncertainty | None, n_features: int
) -> int:
    """Write features -> probability of coming back by each horizon, with its ends; return how many trees are walked.

    Args:
        writer: Where to.
        head: The head; its calibrations have no offsets.
        uncertainty: How sure it is; without it there are no ends. Trees that tell them are not counted.
        n_features: Columns of the matrix.

    Raises:
        ExportError: A booster has another number of features, or no trees.
    """
    inner, targets = GraphWriter(), Targets(n_features)
    columns: dict[int, int] = {}
    for days, booster in zip(head.horizons_days, head.boosters, strict=True):
        if id(booster) not in columns:
            columns[id(booster)] = targets.add_booster(booster, None, f"the win-back booster of {days} days")
    margins = _ensemble(inner, targets, "winback_margins")
    margins = pick_columns(inner, margins, [columns[id(one)] for one in head.boosters], "winback_by_interval")
    slopes = inner.constant("winback_slopes", np.array([[platt.slope for platt in head.calibrations]]))
    shifts = inner.constant("winback_shifts", np.array([[platt.intercept for platt in head.calibrations]]))
    scaled = inner.node("Mul", [margins, slopes], "winback_scaled")
    log_odds = inner.node("Add", [scaled, shifts], "winback_log_odds")
    hazards = inner.node("Sigmoid", [log_odds], "winback_hazards")
    of_interval = [f"winback_hazard_{days}d" for days in head.horizons_days]
    split_columns(inner, hazards, of_interval)
    composition_nodes(inner, "winback_probabilities", head.horizons_days, of_interval)
    outputs = [
        ("winback_probabilities", Output(WINBACK_OUTPUT, "departed_accounts", len(head.horizons_days)))
    ]
    if uncertainty is not None:
        outputs += _interval_nodes(inner, uncertainty, n_features)
    writer.switched(DEPARTED_NAME, inner, outputs)
    return len(targets.trees)


def _interval_nodes(
    writer: GraphWriter, uncertainty: Uncertainty, n_features: int
) -> list[tuple[str, Output]]:
    """Write features and `winback_log_odds` -> ends, in a branch; return what it gives with the outputs they become."""
    head = uncertainty.head
    inner, targets = GraphWriter(), Targets(n_features)
    rank = uncertainty.factors[0].shape[1]
    numbers: dict[int, int] = {}
    for booster, factors in zip(head.boosters, uncertainty.factors, strict=True):
        if id(booster) in numbers:
            continue
        numbers[id(booster)] = len(numbers)
        trees = read_trees(booster)
        starts = np.cumsum([0, *(tree.n_leaves for tree in trees)])[:-1]
        for column in factors.T:
            targets.add(
                merged(
                    [
                        replace(tree, leaf_value=column[start : start + tree.n_leaves])
                        for tree, start in zip(trees, starts, strict=True)
                    ]
                )
            )
    factors_of_all = _ensemble(inner, targets, "winback_factor_sums")
    shape = inner.constant("winback_factor_shape", np.array([0, len(numbers), rank], dtype=np.int64))
    inner.node("Reshape", [factors_of_all, shape], "winback_factors")
    over = inner.constant("over_winback_factors", np.array([2], dtype=np.int64))
    inner.node("ReduceSumSquare", ["winback_factors", over], "winback_factor_powers", keepdims=0)
    made = end_nodes(
        inner,
        [(uncertainty, [numbers[id(booster)] for booster in head.boosters])],
        powers="winback_factor_powers",
        boosters=len(numbers),
        log_odds="winback_log_odds",
        rows="departed_accounts_with_intervals",
        prefix="winback_",
    )
    told = [(name, replace(output, name=f"told_{output.name}")) for name, output in made]
    writer.switched(INTERVALS_NAME, inner, told)
    return [(inside.name, output) for (_, inside), (_, output) in zip(told, made, strict=True)]


def _ensemble(writer: GraphWriter, targets: Targets, output: str) -> str:
    """Write features -> what the trees of each target add up to, shape (n, targets); return its name."""
    arrays = ensemble_arrays(targets.trees, targets.columns)
    weights = np.concatenate([tree.leaf_value for tree in targets.trees])
    return writer.ensemble(arrays, weights, targets.count, output)
