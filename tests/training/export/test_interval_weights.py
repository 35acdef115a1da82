"""Whatever the row, base and contributions must add up to the log-odds of the probability."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.export.small_models import make_head, make_matrix
from tests.training.export.test_curves import staged_head
from tests.training.export.test_graph import graph_of
from training.export.hard_rows import SPECIAL_VALUES, hard_rows
from training.export.interval_weights import Base, interval_weights, positions
from training.export.sessions import open_session
from training.heads.hazard import HazardHead, Platt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.export.graph import BundleGraph

    Matrix = NDArray[np.float64]

ROWS = 1_500
TOLERANCE = 1e-6


def rows_of(head: HazardHead, seed: int) -> Matrix:
    """Return ordinary rows, rows on and beside every threshold, and rows of nothing but one odd value."""
    rng = np.random.default_rng(seed)
    ordinary = make_matrix(rng, 500, missing=0.2)
    odd = np.repeat(np.array(SPECIAL_VALUES)[:, None], ordinary.shape[1], axis=1)
    return np.concatenate([ordinary, hard_rows(head.boosters, ordinary, ROWS, rng), odd])


def log_odds(probability: Matrix) -> Matrix:
    """Return the log-odds of *probability*."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(probability) - np.log1p(-probability))


def base_by_lightgbm(head: HazardHead, shown: int) -> tuple[float, Matrix]:
    """Return the base's log-odds, and the margins that it is of, from the last column of `pred_contrib`."""
    row = np.zeros((1, head.boosters[0].num_feature()))
    margins = np.array(
        [
            platt.slope * np.asarray(booster.predict(row, pred_contrib=True))[0, -1] + platt.intercept
            for platt, booster in zip(head.calibrations[:shown], head.boosters[:shown], strict=True)
        ]
    )
    return float(log_odds(1.0 - np.prod(1.0 / (1.0 + np.exp(margins)), keepdims=True))[0]), margins


def segmented(head: HazardHead) -> HazardHead:
    """Return *head* with an intercept of its own for two of the three plans."""
    platts = tuple(
        dataclasses.replace(platt, offsets=(0.3, 0.0, -0.7 + 0.2 * at))
        for at, platt in enumerate(head.calibrations)
    )
    return dataclasses.replace(head, calibrations=platts, segment_column=5)


def run(graph: BundleGraph, rows: Matrix) -> tuple[Matrix, Matrix]:
    """Return the sums of the contributions, and the head's probabilities."""
    found, reasons = open_session(graph.serialized()).run(
        ["churn", "churn_contributions"], {"features": rows}
    )
    return reasons.sum(axis=1, dtype=np.float64), found


@pytest.mark.parametrize("horizon", [30, 60, 90])
@pytest.mark.parametrize("kind", ["own boosters", "one booster", "stumps and trees", "segments"])
def test_reasons_add_up_to_the_log_odds_of_the_probability(kind: str, horizon: int) -> None:
    """Through ONNX Runtime, base plus contributions is the log-odds of LightGBM's probability to 1e-6."""
    rng = np.random.default_rng(17)
    head = (
        staged_head(17)
        if kind == "stumps and trees"
        else make_head(rng, "churn", shared=kind == "one booster")
    )
    if kind == "segments":
        head = segmented(head)
    rows, at = rows_of(head, 3), head.horizons_days.index(horizon)
    graph = graph_of([make_head(rng, "upsell"), head], make_matrix(rng, 200), horizon)
    base, _ = base_by_lightgbm(head, at + 1)
    assert graph.base.log_odds == pytest.approx(base, abs=1e-12)
    assert log_odds(np.array(graph.base.probability)) == pytest.approx(base, abs=1e-12)
    sums, _ = run(graph, rows)
    expected = log_odds(head.probabilities(rows)[:, at])
    assert np.abs(base + sums - expected).max() < TOLERANCE
    assert np.ptp(expected) > 1.0


def test_derivatives_in_place_of_secants_would_not_add_up() -> None:
    """On the same rows the weights h / P at the row miss the log-odds by more than a tenth."""
    head = make_head(np.random.default_rng(17), "churn")
    rows = rows_of(head, 3)
    base, margins = base_by_lightgbm(head, 3)
    hazards, probability = head.hazards(rows), head.probabilities(rows)[:, -1]
    moved = head.log_odds(rows) - margins
    missed = base + (hazards / probability[:, None] * moved).sum(axis=1) - log_odds(probability)
    assert np.abs(missed).max() > 0.1
    weights = interval_weights(head.log_odds(rows), Base(margins))
    assert np.abs(base + (weights * moved).sum(axis=1) - log_odds(probability)).max() < 1e-10


@pytest.mark.parametrize(
    "intercepts",
    [(-800.0,) * 3, (-40.0,) * 3, (40.0,) * 3, (800.0,) * 3, (-800.0, 0.0, 800.0), (-30.0, -2.0, -30.0)],
)
def test_extreme_margins_give_finite_reasons(intercepts: tuple[float, ...]) -> None:
    """Where hazards are 0 or 1 in floating point, reasons are finite, and add up where P is between."""
    rng = np.random.default_rng(0)
    made, matrix = make_head(rng, "churn"), make_matrix(rng, 300)
    platts = tuple(Platt(1.0, intercept) for intercept in intercepts)
    head = HazardHead("churn", made.horizons_days, made.boosters, platts)
    graph = graph_of([head], matrix)
    sums, found = run(graph, matrix)
    assert np.isfinite(sums).all()
    assert np.isfinite(graph.base.log_odds)
    told = (found[:, -1] > 1e-9) & (found[:, -1] < 1 - 1e-9)
    assert told.all() == (intercepts == (-30.0, -2.0, -30.0))
    assert np.abs(graph.base.log_odds + sums - log_odds(found[:, -1]))[told].max(initial=0.0) < TOLERANCE


margin = st.floats(-16.0, 16.0)


@given(st.lists(st.tuples(margin, margin), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_weights_are_positive_and_add_up(pairs: list[tuple[float, float]]) -> None:
    """Whatever the margins of row and base, weights are positive and make the change of the log-odds."""
    row, base = (np.array(side) for side in zip(*pairs, strict=True))
    weights = interval_weights(row[None], Base(base))[0]
    assert (weights > 0).all()
    moved = positions(row[None])[0, -2] - Base(base).log_odds
    assert float(weights @ (row - base)) == pytest.approx(moved, abs=1e-6)


@pytest.mark.parametrize("step", [0.0, 1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4])
def test_at_the_base_the_weight_is_the_derivative(step: float) -> None:
    """On the base and next to it, weights are the derivative of the log-odds by each margin, without a jump."""
    base = Base(np.array([-3.0, -4.0, -2.5]))
    for direction in (np.array([1.0, 1.0, 1.0]), np.array([1.0, -1.0, 0.5]), np.array([0.0, -1.0, 0.0])):
        weights = interval_weights((base.margins + step * direction)[None], base)[0]
        np.testing.assert_allclose(
            weights, base.hazards / base.probability, rtol=2e-4 if step > 1e-5 else 2e-5
        )


def test_an_interval_at_its_base_leaves_the_others_what_they_make() -> None:
    """An interval that is where it started has a weight too, for what its features add and take back."""
    base = Base(np.array([-3.0, -4.0]))
    weights = interval_weights(np.array([[-3.0, -1.0]]), base)[0]
    assert weights[1] * 3.0 == pytest.approx(
        positions(np.array([[-3.0, -1.0]]))[0, -2] - base.log_odds, abs=1e-12
    )
    onward = weights[1] * 3.0 / (np.log1p(np.exp(-1.0)) - np.log1p(np.exp(-4.0)))
    assert weights[0] == pytest.approx(base.hazards[0] * onward, rel=1e-9)
