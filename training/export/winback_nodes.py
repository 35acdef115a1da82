"""Writes the chance that an account that has left comes back: a branch of its own, since few rows are of such accounts.

Each interval's booster is a target of one `TreeEnsemble` whose leaves hold values; a booster that intervals share is
walked once. The branch runs only if the input `departed` is true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.export.graph_nodes import composition_nodes
from training.export.graph_writer import GraphWriter, Output, pick_columns, split_columns
from training.export.outlook_nodes import Targets
from training.export.trees import ensemble_arrays

if TYPE_CHECKING:
    from training.heads.hazard import HazardHead

DEPARTED_NAME = "departed"
WINBACK_OUTPUT = "winback"


def winback_nodes(writer: GraphWriter, head: HazardHead, n_features: int) -> int:
    """Write features -> probability of coming back by each horizon; return how many trees are walked for it.

    Args:
        writer: Where to.
        head: The head; its calibrations have no offsets.
        n_features: Columns of the matrix.

    Raises:
        ExportError: A booster has another number of features, or no trees.
    """
    inner, targets = GraphWriter(), Targets(n_features)
    columns: dict[int, int] = {}
    for days, booster in zip(head.horizons_days, head.boosters, strict=True):
        if id(booster) not in columns:
            columns[id(booster)] = targets.add_booster(booster, None, f"the win-back booster of {days} days")
    arrays = ensemble_arrays(targets.trees, targets.columns)
    weights = np.concatenate([tree.leaf_value for tree in targets.trees])
    margins = inner.ensemble(arrays, weights, targets.count, "winback_margins")
    margins = pick_columns(inner, margins, [columns[id(one)] for one in head.boosters], "winback_by_interval")
    slopes = inner.constant("winback_slopes", np.array([[platt.slope for platt in head.calibrations]]))
    shifts = inner.constant("winback_shifts", np.array([[platt.intercept for platt in head.calibrations]]))
    scaled = inner.node("Mul", [margins, slopes], "winback_scaled")
    log_odds = inner.node("Add", [scaled, shifts], "winback_log_odds")
    hazards = inner.node("Sigmoid", [log_odds], "winback_hazards")
    of_interval = [f"winback_hazard_{days}d" for days in head.horizons_days]
    split_columns(inner, hazards, of_interval)
    composition_nodes(inner, "winback_probabilities", head.horizons_days, of_interval)
    output = Output(WINBACK_OUTPUT, "departed_accounts", len(head.horizons_days))
    writer.switched(DEPARTED_NAME, inner, [("winback_probabilities", output)])
    return len(targets.trees)
