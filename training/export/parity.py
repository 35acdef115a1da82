"""Refuses a graph that does not say what LightGBM says: both are run on rows made to tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.bundle.manifest import Parity
from training.export.contributions import Fidelity, fidelity
from training.export.errors import ParityError
from training.export.graph import BundleGraph, contributions_output
from training.export.hard_rows import hard_rows
from training.export.interval_weights import SMALLEST, calibrated_base, interval_weights
from training.export.sessions import open_session, run_in_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.heads.hazard import HazardHead

TOLERANCE = 1e-9
ROWS = 100_000
_EXPLAIN_CHUNK_ROWS = 128


def check_parity(
    graph: bytes,
    heads: Sequence[HazardHead],
    background: NDArray[np.float64],
    *,
    seed: int,
    rows: int = ROWS,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compare the graph's probabilities with `HazardHead.probabilities` on *rows* hard rows.

    Args:
        graph: Bytes of the ONNX file.
        heads: The heads that it should say.
        background: Float64, shape (rows, features): ordinary rows that hard rows are made from.
        seed: Seed of the hard rows.
        rows: How many rows to compare, at least.
        tolerance: Largest allowed difference in probability.

    Raises:
        ParityError: They differ by more; the message names head, horizon and row.
    """
    boosters = list({id(booster): booster for head in heads for booster in head.boosters}.values())
    matrix = hard_rows(boosters, background, rows, np.random.default_rng(seed))
    session = open_session(graph)
    largest = 0.0
    for part, outputs in run_in_chunks(session, [head.name for head in heads], matrix, explain=False):
        for head in heads:
            largest = max(largest, _difference(head, outputs[head.name], matrix[part], part.start, tolerance))
    return Parity(rows=len(matrix), max_abs_difference=largest, tolerance=tolerance)


def _difference(
    head: HazardHead,
    found: NDArray[np.floating],
    matrix: NDArray[np.float64],
    first_row: int,
    tolerance: float,
) -> float:
    expected = head.probabilities(matrix)
    if found.shape != expected.shape:
        raise ParityError(
            f"head {head.name!r}: the graph gives shape {found.shape}; it should give {expected.shape}"
        )
    difference = np.abs(found - expected)
    wrong = ~(difference <= tolerance)  # also where either is NaN
    if wrong.any():
        row, horizon = (int(index[0]) for index in np.nonzero(wrong))
        shown = ", ".join(f"{value!r}" for value in matrix[row].tolist())
        raise ParityError(
            f"head {head.name!r}, horizon {head.horizons_days[horizon]} days, row {first_row + row}: the "
            f"graph gives {found[row, horizon]!r}, LightGBM {expected[row, horizon]!r}; they may differ by "
            f"{tolerance:g}. The row's features: [{shown}]"
        )
    return float(difference.max(initial=0.0))


def measure_fidelity(
    graph: BundleGraph,
    head: HazardHead,
    horizon_days: int,
    rows: NDArray[np.float64],
    *,
    signals: Sequence[str],
    background_rows: int,
) -> Fidelity:
    """Compare the graph's contributions with exact TreeSHAP.

    Args:
        graph: The graph.
        head: The head that it explains.
        horizon_days: The horizon that it explains.
        rows: Float64, shape (rows, features); better not the rows that the contributions were averaged over.
        signals: The signal of each feature.
        background_rows: How many rows the contributions were averaged over, for the record.
    """
    name, at = contributions_output(head.name), head.horizons_days.index(horizon_days)
    session = open_session(graph.serialized())
    looked_up: list[NDArray[np.floating]] = [np.zeros((0, len(signals)))]
    probabilities: list[NDArray[np.floating]] = [np.zeros(0)]
    for _, outputs in run_in_chunks(
        session, [head.name, name], rows, explain=True, chunk_rows=_EXPLAIN_CHUNK_ROWS
    ):
        looked_up.append(outputs[name])
        probabilities.append(outputs[head.name][:, at])
    told = np.clip(np.concatenate(probabilities), SMALLEST, 1.0 - SMALLEST)
    return fidelity(
        np.concatenate(looked_up),
        exact_contributions(head, horizon_days, rows),
        signals,
        expected_sums=np.log(told) - np.log1p(-told) - graph.base.log_odds,
        background_rows=background_rows,
        leaves=graph.leaves,
        leaves_without_background=graph.leaves_without_background,
    )


def exact_contributions(
    head: HazardHead, horizon_days: int, rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return exact TreeSHAP contributions to the log-odds of the event, shape (rows, features).

    They explain the event by *horizon_days*, with each interval weighted as in the graph. Margins, contributions and
    expected values are LightGBM's own.
    """
    shown = head.horizons_days.index(horizon_days) + 1
    if len(rows) == 0:
        return np.zeros(rows.shape)
    boosters, calibrations = head.boosters[:shown], head.calibrations[:shown]
    explained = [np.asarray(booster.predict(rows, pred_contrib=True)) for booster in boosters]
    base = calibrated_base(head, [found[0, -1] for found in explained])
    slopes = np.array([platt.slope for platt in calibrations])
    weights = interval_weights(head.log_odds(rows)[:, :shown], base)
    shares = np.stack([found[:, :-1] for found in explained], axis=1)  # (rows, intervals, features)
    total: NDArray[np.float64] = np.einsum("rk,rkf->rf", weights * slopes, shares)
    if head.segment_column is not None:
        offsets = head.offsets(rows[:, head.segment_column])[:, :shown]
        total[:, head.segment_column] += (weights * offsets).sum(axis=1)
    return total
