"""Charts of the card: axes have names and round numbers, no word lies on a curve, and tables say the same."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from tests.training.export.small_models import TRAINED_AT, make_trained
from training.card.facts import card_facts
from training.card.judged import judged_tables
from training.card.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Plot, Scale, curve_plot, plots_of
from training.card.render import render_html
from training.card.uplift_sections import uplift_blocks
from training.evaluation.report import HeldOutRows, evaluate
from training.evaluation.thresholds import Threshold
from training.evaluation.uplift_curves import UpliftRows, qini_points
from training.export.bundle import export_bundle

LETTER = 6.5
"""Width of an average digit or letter at the card's 11 units, rounded up."""
FRAME = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Return the evaluation of a calibrated model of 4,000 accounts."""
    rng = np.random.default_rng(5)
    probability = np.clip(rng.beta(1.2, 12, 4_000), 0.001, 0.9)
    rows = HeldOutRows(
        account_id=np.array([f"a{number}" for number in range(4_000)], dtype=object),
        label=(rng.random(4_000) < probability).astype(np.float64),
        probabilities={"keepgrow": probability},
        threshold=Threshold(0.2, "f1", "the best F1 on validation"),
        notes={},
    )
    return evaluate(rows, samples=20, seed=1)


@pytest.fixture(scope="module")
def uplift() -> dict[str, Any]:
    """Return what a report says of one action's ranking, some of whose gains are losses."""
    rng = np.random.default_rng(2)
    treated = rng.random(2_000) < 0.5
    score = rng.normal(size=2_000)
    outcome = (rng.random(2_000) < 0.3 + 0.1 * score * treated).astype(np.float64)
    rows = UpliftRows(np.arange(2_000).astype(str).astype(object), treated, np.full(2_000, 0.5), outcome)
    interval = {"value": 0.1, "low": 0.0, "high": 0.2}
    bins = [
        {"rows": 1_000, "estimated": -0.05, "observed": {"value": -0.04, "low": -0.1, "high": 0.02}},
        {"rows": 1_000, "estimated": 0.07, "observed": {"value": 0.08, "low": 0.01, "high": 0.15}},
    ]
    judged = {
        "draws": 2_000,
        "ranking": {"qini": interval},
        "quadrants": {"persuadables": interval},
        "calibration": {"bins": bins},
        "qini_curve": qini_points(rows, score),
    }
    shipped = {
        "draws": 2_000,
        "prior": {"mean": 0.0, "sd": 0.02, "scale": "absolute"},
        "measured": {"mean": 0.01, "standard_error": 0.01},
        "weight_of_draws": 0.8,
        "average": {"mean": 0.01, "sd": 0.01},
        "learner": "s",
    }
    outcomes = {"retained": {"actions": {"success_call": {"shipped": shipped, "held_out": judged}}}}
    return {"outcome_days": 90, "draws": 2_000, "accounts": 2_000, "outcomes": outcomes}


def points(text: str) -> list[tuple[float, float]]:
    """Return the points of an SVG polyline."""
    pairs = (pair.split(",") for pair in text.split())
    return [(float(x), float(y)) for x, y in pairs]


def check_drawing(plot: Plot) -> None:
    """Both axes have names, every number and point is inside the drawing, and the curve inside its frame."""
    left, right, top, bottom = FRAME
    assert plot.x_label
    assert plot.y_label
    assert plot.caption
    for x, y in [*points(plot.line), *points(plot.reference)]:
        assert left <= x <= right
        assert top <= y <= bottom
    for at, text in plot.x_ticks:
        assert at - LETTER * len(text) / 2 >= 0
        assert at + LETTER * len(text) / 2 <= WIDTH
    for at, text in plot.y_ticks:
        assert LETTER * len(text) <= LEFT - 4
        assert top <= at <= bottom
    assert LETTER * len(plot.y_label) <= WIDTH - LEFT
    assert LETTER * len(plot.x_label) <= WIDTH


def test_every_curve_of_a_head_has_named_axes_and_fits_its_frame(found: dict[str, Any]) -> None:
    """ROC, precision and recall, calibration and lift are drawn, each with names, numbers and a line of chance."""
    plots = {plot.title: plot for plot in plots_of(found)}
    assert list(plots) == ["ROC", "Precision and recall", "Calibration", "Lift (cumulative gain)"]
    for plot in plots.values():
        check_drawing(plot)
    assert (plots["ROC"].x_label, plots["ROC"].y_label) == ("false-positive rate", "true-positive rate")
    assert (plots["Calibration"].x_label, plots["Calibration"].y_label) == (
        "predicted probability",
        "observed share",
    )


def test_a_calibrated_model_lies_on_the_dashed_line_within_its_bars(found: dict[str, Any]) -> None:
    """Nearly every bar crosses the diagonal, and none is cut by the frame unless it is far longer than the rest."""
    (plot,) = (one for one in plots_of(found) if one.title == "Calibration")
    assert len(plot.dots) == len(found["calibration"]["bins"]) == 10
    left, right, top, bottom = FRAME
    diagonal = [bottom - (x - left) / (right - left) * (bottom - top) for x, *_ in plot.dots]
    held = [high <= at <= low for (_, _, high, low), at in zip(plot.dots, diagonal, strict=True)]
    assert sum(held) >= 8
    assert all(top < high for _, _, high, _ in plot.dots)


def test_the_table_of_scores_says_what_the_bands_hold(found: dict[str, Any]) -> None:
    """Each band of scores has a line of rows, said and observed events, with the interval of the latter."""
    (table,) = (one for one in judged_tables(found, {}) if one.caption.startswith("Does a score"))
    assert len(table.rows) == len(found["score_bands"])
    first, band = table.rows[0], found["score_bands"][0]
    assert first[0] == f"{band['from']} to {band['to']}"
    assert first[2] == f"{100 * band['predicted']:.1f}"
    assert first[3].startswith(f"{100 * band['observed']:.1f} (")


def test_a_qini_curve_is_in_points_and_names_what_is_compared(uplift: dict[str, Any]) -> None:
    """The vertical axis has percentage points in round steps, losses below zero, and zero among its numbers."""
    (plot,) = (plot for block in uplift_blocks(uplift) for plot in block.plots)
    check_drawing(plot)
    assert plot.title == "Qini: success call"
    assert plot.y_label == "gain, percentage points"
    assert plot.x_label == "share acted on, best first"
    assert "random order" in plot.caption
    assert "0" in [text for _, text in plot.y_ticks]


def test_calibration_of_uplift_is_a_table_of_its_groups(uplift: dict[str, Any]) -> None:
    """Each group of draws has a line: what was estimated, and what was observed with an interval."""
    tables = [block.table for block in uplift_blocks(uplift) if block.table is not None]
    (table,) = (one for one in tables if one.caption.startswith("Calibration of uplift"))
    assert [row[:3] for row in table.rows] == [
        ("success call", "1", "1,000"),
        ("success call", "2", "1,000"),
    ]
    assert "-0.05" in table.rows[0][3]
    assert "0.08" in table.rows[1][4]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (-3.52, 1.29, ["-4", "-2", "0", "2"]),
        (0.0, 2.41, ["0", "1", "2", "3"]),
        (-0.7, 2.41, ["-1", "0", "1", "2", "3"]),
    ],
)
def test_numbers_on_an_axis_are_round(low: float, high: float, texts: list[str]) -> None:
    """Both ends and all steps are multiples of 1, 2 or 5 times a power of ten, and hold the values."""
    scale = Scale.around(1.0, low, high)
    assert scale.y_low <= low
    assert scale.y_top >= high
    assert [text for _, text in scale.ticks()[1]] == texts


def test_a_curve_without_labels_is_still_drawn() -> None:
    """Labels that a curve does not bring stay empty, and its ends are those of its values."""
    plot = curve_plot("gain", {"x": [0.0, 0.5, 1.0], "y": [0.0, 0.3, 0.2]})
    assert (plot.x_label, plot.y_label, plot.caption) == ("", "", "")
    assert points(plot.line)[0] == (LEFT, HEIGHT - BOTTOM)
    flat = curve_plot("gain", {"x": [0.0, 1.0], "y": [0.0, 0.0]})
    assert [text for _, text in flat.y_ticks] == ["0", "0.5", "1"]


def test_on_the_page_numbers_and_names_stand_outside_the_frame(found: dict[str, Any]) -> None:
    """The vertical axis' name is above the frame, numbers are left of it and below, so that no curve runs through."""
    trained = make_trained()
    bundle = export_bundle(trained, trained_at=TRAINED_AT, parity_rows=200, code="1.0+test")
    facts = card_facts(bundle.manifest)
    head = facts.heads[0]
    drawn = dataclasses.replace(head.horizons[1], plots=plots_of(found))
    page = render_html(
        dataclasses.replace(facts, heads=(dataclasses.replace(head, horizons=(head.horizons[0], drawn)),))
    )
    drawings = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(drawings) >= 4
    left, right, top, bottom = FRAME
    for drawing in drawings:
        assert f'x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"' in drawing
        texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"(?: text-anchor="(\w+)")?>', drawing)
        assert len(texts) >= 8
        for x, y, anchor in texts:
            beside = anchor == "end" and float(x) < left
            assert beside or float(y) < top or float(y) > bottom + 8
