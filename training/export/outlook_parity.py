"""Refuses a graph whose intervals and outlook are not what the trained models say, on rows made to tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.export.errors import ParityError
from training.export.hard_rows import hard_rows
from training.export.interval_nodes import high_output, low_output
from training.export.outlook_nodes import (
    AMOUNT_OUTPUT,
    EFFECT_ERRORS_OUTPUT,
    EFFECTS_OUTPUT,
    HEALTH_INPUT,
    LONG_OUTPUT,
    TRAJECTORY_CLASSES,
    TRAJECTORY_OUTPUT,
)
from training.export.sessions import open_session, run_in_chunks
from training.export.winback_nodes import WINBACK_OUTPUT
from training.heads.long_horizon import long_probability
from training.heads.trajectory import with_inputs
from training.labels_trajectory import CLASSES

if TYPE_CHECKING:
    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.outlook_values import Outlook
    from training.trained import TrainedModels

TOLERANCE = 1e-9
OUTLOOK_SHARE = 10
"""One row in ten of those that probabilities are compared on: hundreds of boosters take LightGBM that much longer."""
_MOST_BOOSTERS = 40


def expected_outputs(
    trained: TrainedModels, matrix: NDArray[np.float64], health: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return by name what the graph should give for each output of the outlook, as LightGBM and numpy have it.

    Args:
        trained: The models.
        matrix: Shape (n, features).
        health: Shape (n, e), the inputs of the trajectory; None if it has none.
    """
    outlook = trained.outlook
    found: dict[str, NDArray[np.float64]] = {}
    for name, sure in outlook.uncertainty.items():
        found[low_output(name)], found[high_output(name)] = sure.interval(matrix)
    if outlook.long_interval is not None:
        found[LONG_OUTPUT] = long_probability(trained.head("upsell"), outlook.long_interval, matrix)[:, None]
    if outlook.amount is not None:
        found[AMOUNT_OUTPUT] = outlook.amount.extra_mrr_ratio(matrix)[:, None]
    if outlook.trajectory is not None:
        order = [CLASSES.index(name) for name in TRAJECTORY_CLASSES]
        churn = trained.head("churn").probabilities(matrix)
        found[TRAJECTORY_OUTPUT] = outlook.trajectory.probabilities(with_inputs(matrix, health), churn)[
            :, order
        ]
    if outlook.winback is not None:
        found[WINBACK_OUTPUT] = outlook.winback.probabilities(matrix)
    if outlook.winback_uncertainty is not None:
        name = outlook.winback_uncertainty.head.name
        found[low_output(name)], found[high_output(name)] = outlook.winback_uncertainty.interval(matrix)
    if outlook.effects is not None:
        mean, error = outlook.effects.effects(trained.head("churn"), matrix)
        found[EFFECTS_OUTPUT], found[EFFECT_ERRORS_OUTPUT] = mean, error
    return found


def check_outlook_parity(
    graph: bytes, trained: TrainedModels, *, rows: int, tolerance: float = TOLERANCE
) -> dict[str, float]:
    """Compare all outputs of the outlook on *rows* hard rows; return the largest difference of each.

    Args:
        graph: Bytes of the ONNX file.
        trained: What it should say.
        rows: How many rows to compare, about.
        tolerance: Largest allowed difference.

    Raises:
        ParityError: They differ by more; the message names output and row.
    """
    boosters = [*(one for head in trained.heads for one in head.boosters), *_boosters(trained.outlook)]
    distinct = list({id(booster): booster for booster in boosters}.values())
    generator = np.random.default_rng(trained.seed)
    if len(distinct) > _MOST_BOOSTERS:
        picked = np.sort(generator.choice(len(distinct), _MOST_BOOSTERS, replace=False))
        distinct = [distinct[index] for index in picked]
    inputs = () if trained.outlook.trajectory is None else trained.outlook.trajectory.inputs
    around = generator.normal(50.0, 30.0, (len(trained.background), len(inputs)))
    matrix = hard_rows(distinct, np.hstack([trained.background, around]), rows, generator)
    matrix = matrix[np.sort(generator.permutation(len(matrix))[:rows])]
    health = np.ascontiguousarray(matrix[:, trained.background.shape[1] :]) if inputs else None
    matrix = np.ascontiguousarray(matrix[:, : trained.background.shape[1]])
    expected = expected_outputs(trained, matrix, health)
    largest = dict.fromkeys(expected, 0.0)
    if not expected:
        return largest
    switches = {"intervals": True, "outlook": True, "departed": True}
    names = list(expected)
    further = {} if health is None else {HEALTH_INPUT: health}
    for part, outputs in run_in_chunks(
        open_session(graph), names, matrix, explain=False, further=further, **switches
    ):
        for name in names:
            difference = np.abs(outputs[name] - expected[name][part])
            wrong = ~(difference <= tolerance)  # also where either is NaN
            if outputs[name].shape != expected[name][part].shape or wrong.any():
                row = int(np.nonzero(wrong)[0][0])
                raise ParityError(
                    f"output {name!r}, row {part.start + row}: the graph gives {outputs[name][row].tolist()}, the "
                    f"trained models {expected[name][part][row].tolist()}; they may differ by {tolerance:g}. The row's "
                    f"features: {matrix[part][row].tolist()}"
                )
            largest[name] = max(largest[name], float(difference.max(initial=0.0)))
    return largest


def _boosters(outlook: Outlook) -> list[lgb.Booster]:
    found: list[lgb.Booster] = []
    if outlook.trajectory is not None:
        found += [outlook.trajectory.declining, outlook.trajectory.improving]
    if outlook.winback is not None:
        found += outlook.winback.boosters
    if outlook.amount is not None and outlook.amount.booster is not None:
        found.append(outlook.amount.booster)
    if outlook.effects is not None:
        for head in outlook.effects.heads:
            for bag in head.bags:
                found += [bag.plus] if bag.minus is None else [bag.plus, bag.minus]
    return found
