"""Writes what lies ahead of an account: the long horizon, the amount, the trajectory, and what actions change.

All their trees are in one `TreeEnsemble` of its own whose leaves hold values, each booster a target; trees of a booster
on one feature alone are merged first. It is walked only if the input `outlook` is true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.export.curves import lookup_tree, merged
from training.export.errors import ExportError
from training.export.graph_nodes import LOG_ODDS, column_of
from training.export.graph_writer import INPUT_NAME, GraphWriter, Output, pick_columns
from training.export.trees import ensemble_arrays, read_trees
from training.labels_trajectory import CLASSES, DECLINING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.export.trees import Tree
    from training.heads.amount import AmountModel
    from training.heads.hazard import HazardHead
    from training.heads.long_horizon import LongInterval
    from training.heads.trajectory import TrajectoryHead
    from training.outlook_values import EffectHeads, Outlook

OUTLOOK_NAME = "outlook"
LONG_OUTPUT = "upsell_long"
AMOUNT_OUTPUT = "extra_mrr_ratio"
TRAJECTORY_OUTPUT = "trajectory"
HEALTH_INPUT = "health"
"""What is known of health, read by the trajectory alone; optional, as only the outlook needs it."""
EFFECTS_OUTPUT = "effects"
EFFECT_ERRORS_OUTPUT = "effect_errors"
TRAJECTORY_CLASSES = ("improving", "stable", "declining")
"""In the order of the output's columns."""
_ROWS = "accounts_with_outlook"


class Targets:
    """Collects trees by the column that they add to; mutable, because columns are numbered as parts ask for them."""

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self.trees: list[Tree] = []
        self.columns: list[int] = []
        self.count = 0

    def add(self, trees: Sequence[Tree]) -> int:
        """Return a new column to which *trees* add up."""
        self.trees += trees
        self.columns += [self.count] * len(trees)
        self.count += 1
        return self.count - 1

    def add_booster(
        self, plus: lgb.Booster, minus: lgb.Booster | None, name: str, *, further: int = 0
    ) -> int:
        """Return a new column with the margin of *plus*, less that of *minus* if there is one.

        Args:
            plus: A booster.
            minus: Another, or None.
            name: For errors.
            further: Columns that they read after the features.

        Raises:
            ExportError: A booster has another number of features, or no trees.
        """
        trees = self._read(plus, name, further)
        if minus is not None:
            trees += [tree.scaled(-1.0) for tree in self._read(minus, name, further)]
        return self.add(merged(trees))

    def _read(self, booster: lgb.Booster, name: str, further: int) -> list[Tree]:
        if booster.num_feature() != self.n_features + further:
            raise ExportError(
                f"{name} was trained on {booster.num_feature()} features; the contract has {self.n_features}"
                + (f" and {further} further inputs" if further else "")
            )
        found = list(read_trees(booster, name))
        if not found:
            raise ExportError(f"{name} has no trees")
        return found


def outlook_nodes(
    writer: GraphWriter,
    outlook: Outlook,
    heads: Sequence[HazardHead],
    n_features: int,
) -> tuple[int, int]:
    """Write all that *outlook* has; return the bytes a row of the largest tensor, and the trees.

    Args:
        writer: Where to.
        outlook: At least one part of it has an output.
        heads: In the order of the columns of the log-odds.
        n_features: Columns of the matrix.
    """
    inner, targets = GraphWriter(), Targets(n_features)
    outputs: list[tuple[str, Output]] = []
    if outlook.long_interval is not None:
        outputs.append(_long_nodes(inner, outlook.long_interval, heads))
    margins = _Margins(inner)
    if outlook.amount is not None:
        outputs.append(_amount_nodes(inner, outlook.amount, targets, margins))
    health: Sequence[str] = () if outlook.trajectory is None else outlook.trajectory.inputs
    if outlook.trajectory is not None:
        outputs.append(_trajectory_nodes(inner, outlook.trajectory, targets, margins, heads))
    if outlook.effects is not None:
        churn = next(head for head in heads if head.name == "churn")
        unit = pick_columns(inner, churn.name, [outlook.effects.unit_column(churn)], "churn_in_window")
        outputs += _effect_nodes(inner, outlook.effects, targets, margins, unit)
    if targets.count:
        first = GraphWriter()
        arrays = ensemble_arrays(targets.trees, targets.columns)
        weights = np.concatenate([tree.leaf_value for tree in targets.trees])
        source = INPUT_NAME
        if health:
            source = _with_further_columns(
                first, writer.further_input(HEALTH_INPUT, len(health)), len(health)
            )
        first.ensemble(arrays, weights, targets.count, margins.name, source)
        inner.nodes[:0] = first.nodes
        inner.constants += first.constants
    writer.switched(OUTLOOK_NAME, inner, outputs)
    effects = 0 if outlook.effects is None else len(outlook.effects.heads)
    wide = n_features + len(health) if health else 1
    return 8 * max(wide, targets.count, effects), len(targets.trees)


class _Margins:
    """Picks columns out of the ensemble's output."""

    name = "outlook_margins"

    def __init__(self, writer: GraphWriter) -> None:
        self.writer = writer

    def columns(self, chosen: Sequence[int], output: str) -> str:
        """Return a tensor of the columns *chosen*, shape (n, len(chosen))."""
        return pick_columns(self.writer, self.name, chosen, output)


def _long_nodes(
    writer: GraphWriter, interval: LongInterval, heads: Sequence[HazardHead]
) -> tuple[str, Output]:
    """Write the last upsell interval's log-odds -> the probability by the long horizon, never below upsell's last."""
    number, head = next((number, head) for number, head in enumerate(heads) if head.name == "upsell")
    at = len(head.horizons_days) - 1
    pick_columns(writer, LOG_ODDS, [column_of(heads, number, at)], "last_upsell_log_odds")
    scale = writer.constant("long_slope", np.array([[interval.calibration.slope]]))
    shift = writer.constant("long_intercept", np.array([[interval.calibration.intercept]]))
    writer.node("Mul", ["last_upsell_log_odds", scale], "long_scaled")
    writer.node("Add", ["long_scaled", shift], "long_log_odds")
    # 1 - (1 - p)^pieces, with 1 - p as the sigmoid of the negative log-odds
    writer.node("Neg", ["long_log_odds"], "long_against")
    writer.node("Sigmoid", ["long_against"], "piece_survived")
    pieces = writer.constant("long_pieces", np.array([[float(interval.pieces)]]))
    one = writer.constant("long_one", np.ones((1, 1)))
    writer.node("Pow", ["piece_survived", pieces], "long_survived")
    writer.node("Sub", [one, "long_survived"], "long_hazard")
    pick_columns(writer, head.name, [at], "upsell_before")
    writer.node("Sub", [one, "upsell_before"], "not_before")
    writer.node("Mul", ["long_hazard", "not_before"], "later")
    return writer.node("Add", ["upsell_before", "later"], "long_probability"), Output(LONG_OUTPUT, _ROWS, 1)


def _amount_nodes(
    writer: GraphWriter, amount: AmountModel, targets: Targets, margins: _Margins
) -> tuple[str, Output]:
    if amount.booster is not None:
        column = targets.add_booster(amount.booster, None, "the booster of amounts")
    else:
        plans = amount.by_plan if amount.plan_column is not None else np.zeros(0)
        feature = amount.plan_column if amount.plan_column is not None else 0
        column = targets.add([lookup_tree(feature, plans, amount.overall)])
    log_ratio = margins.columns([column], "log_ratio")
    writer.node("Exp", [log_ratio], "ratio")
    writer.node("Mul", ["ratio", writer.constant("amount_spread", np.array([[amount.spread]]))], "mean_ratio")
    writer.node("Sub", ["mean_ratio", writer.constant("amount_one", np.ones((1, 1)))], "extra")
    nothing = writer.constant("amount_nothing", np.zeros((1, 1)))
    return writer.node("Max", ["extra", nothing], "extra_ratio"), Output(AMOUNT_OUTPUT, _ROWS, 1)


def _with_further_columns(writer: GraphWriter, further: str, columns: int) -> str:
    """Write the features with the *columns* of the input *further* after them; one row of it serves all accounts."""
    writer.node("Shape", [INPUT_NAME], "outlook_accounts", start=0, end=1)
    width = writer.constant(f"columns_of_{further}", np.array([columns], dtype=np.int64))
    writer.node("Concat", ["outlook_accounts", width], f"shape_of_{further}", axis=0)
    writer.node("Expand", [further, f"shape_of_{further}"], f"{further}_of_accounts")
    return writer.node("Concat", [INPUT_NAME, f"{further}_of_accounts"], "outlook_features", axis=1)


def _trajectory_nodes(
    writer: GraphWriter,
    head: TrajectoryHead,
    targets: Targets,
    margins: _Margins,
    heads: Sequence[HazardHead],
) -> tuple[str, Output]:
    columns = [
        targets.add_booster(booster, None, f"the trajectory booster of {name}", further=len(head.inputs))
        for name, booster in (("declining", head.declining), ("improving", head.improving))
    ]
    order = [CLASSES.index(name) for name in TRAJECTORY_CLASSES]
    coefficients = head.coefficients[:, order]
    names = [
        margins.columns(columns, "trajectory_margins"),
        writer.constant("trajectory_slopes", coefficients[:2]),
        writer.constant("trajectory_levels", coefficients[2]),
    ]
    writer.node("Gemm", names, "trajectory_logits")
    output = Output(TRAJECTORY_OUTPUT, _ROWS, len(order))
    if head.churn_column is None:
        return writer.node("Softmax", ["trajectory_logits"], "trajectory_probabilities", axis=1), output
    writer.node("Softmax", ["trajectory_logits"], "trajectory_if_staying", axis=1)
    churn = next(one for one in heads if one.name == "churn")
    leaves = pick_columns(writer, churn.name, [head.churn_column], "leaves_first")
    stays = writer.node("Sub", [writer.constant("trajectory_one", np.ones((1, 1))), leaves], "stays_on")
    writer.node("Mul", ["trajectory_if_staying", stays], "stays_and_goes")
    declining = np.array([[float(name == CLASSES[DECLINING]) for name in TRAJECTORY_CLASSES]])
    writer.node("Mul", [leaves, writer.constant("leaving_declines", declining)], "leaves_and_declines")
    return writer.node("Add", ["stays_and_goes", "leaves_and_declines"], "trajectory_probabilities"), output


def _effect_nodes(
    writer: GraphWriter, effects: EffectHeads, targets: Targets, margins: _Margins, churn: str
) -> list[tuple[str, Output]]:
    """Write bags -> effects and standard errors of the mean, as `training.heads.uplift.head` has them."""
    heads = effects.heads
    relative = np.array([[head.prior.scale == "churn_probability" for head in heads]], dtype=np.float64)
    writer.node(
        "Gemm",
        [
            churn,
            writer.constant("relative_effects", relative),
            writer.constant("absolute_effects", 1.0 - relative[0]),
        ],
        "units",
    )
    level = np.array([[head.average - head.slope * head.raw_average * bool(head.bags) for head in heads]])
    spread = np.array([[head.error_per_unit**2 for head in heads]])
    mean = writer.node("Mul", ["units", writer.constant("effect_levels", level)], "level_effects")
    writer.node("Mul", ["units", "units"], "squared_units")
    variance = writer.node(
        "Mul", ["squared_units", writer.constant("effect_spreads", spread)], "level_variances"
    )
    if any(head.bags for head in heads):
        mean, variance = _bag_nodes(writer, effects, targets, margins, mean, variance)
    error = writer.node("Sqrt", [variance], "effect_standard_errors")
    if mean == "level_effects":
        mean = writer.node("Identity", [mean], "mean_effects")
    return [
        (mean, Output(EFFECTS_OUTPUT, _ROWS, len(heads))),
        (error, Output(EFFECT_ERRORS_OUTPUT, _ROWS, len(heads))),
    ]


def _bag_nodes(
    writer: GraphWriter,
    effects: EffectHeads,
    targets: Targets,
    margins: _Margins,
    mean: str,
    variance: str,
) -> tuple[str, str]:
    """Write bags -> their mean and spread, added to *mean* and *variance*; return the sums."""
    owner: list[int] = []
    columns: list[int] = []
    for number, head in enumerate(effects.heads):
        for bag in head.bags:
            name = f"a bag of {head.action} on {head.outcome}"
            columns.append(targets.add_booster(bag.plus, bag.minus, name))
            owner.append(number)
    bags = np.bincount(owner, minlength=len(effects.heads)).astype(np.float64)
    belongs: NDArray[np.float64] = (np.array(owner)[:, None] == np.arange(len(bags))).astype(np.float64)
    slope = np.array([head.slope for head in effects.heads])
    raw = margins.columns(columns, "bag_effects")
    averaging = writer.constant("bag_means", belongs / np.maximum(bags, 1.0))
    writer.node("MatMul", [raw, averaging], "raw_effects")
    writer.node("MatMul", ["raw_effects", writer.constant("bag_owners", belongs.T.copy())], "raw_of_bags")
    writer.node("Sub", [raw, "raw_of_bags"], "bag_deviations")
    writer.node("Mul", ["bag_deviations", "bag_deviations"], "bag_powers")
    weights = writer.constant("bag_variances", belongs * slope / np.maximum(bags - 1.0, 1.0))
    writer.node("MatMul", ["bag_powers", weights], "bag_variance")
    writer.node("Mul", ["raw_effects", writer.constant("effect_slopes", slope[None])], "told_effects")
    return (
        writer.node("Add", [mean, "told_effects"], "mean_effects"),
        writer.node("Add", [variance, "bag_variance"], "effect_variances"),
    )
