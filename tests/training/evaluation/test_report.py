"""The report says every figure of every model, as JSON and as a table, and leaves nothing undefined looking defined."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import average_precision_score, precision_score, roc_auc_score

from training.evaluation import report
from training.evaluation.report import LABELS, OURS, evaluate, evaluation_table
from training.evaluation.thresholds import Threshold

THRESHOLD = Threshold(0.4, "precision_first", "Chosen on validation.")


def rows_of(seed: int = 1, *, events: bool = True, better: float = 1.0) -> report.HeldOutRows:
    """Return 400 rows of 100 accounts, with our probabilities and those of three baselines."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=400)
    label = (rng.random(400) < 1 / (1 + np.exp(1.0 - 2 * signal))).astype(np.float64) * events
    weak = 1 / (1 + np.exp(-(signal * 0.3 + rng.normal(size=400))))
    return report.HeldOutRows(
        account_id=np.repeat([f"a{number}" for number in range(100)], 4).astype(object),
        label=label,
        probabilities={
            OURS: 1 / (1 + np.exp(1.0 - 2 * better * signal)),
            "base_rate": np.full(400, 0.3),
            "best_single_feature": weak,
            "logistic_regression": 1 / (1 + np.exp(1.0 - signal)),
        },
        threshold=THRESHOLD,
        notes={"base_rate": "30 % for everybody"},
    )


def test_every_model_has_every_figure_with_its_interval() -> None:
    """Values are scikit-learn's, intervals hold them, and baselines are judged by as many alerts as ours."""
    rows = rows_of()
    found = evaluate(rows, samples=60, seed=1)
    assert (found["rows"], found["accounts"], found["events"]) == (400, 100, int(rows.label.sum()))
    assert found["threshold"] == {
        "value": 0.4,
        "rule": "precision_first",
        "sentence": "Chosen on validation.",
    }
    assert list(found["models"]) == list(LABELS)
    for name, model in found["models"].items():
        figures = model["metrics"]
        for key, theirs in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
            assert figures[key]["value"] == pytest.approx(
                theirs(rows.label, rows.probabilities[name]), abs=1e-6
            )
            assert figures[key]["low"] <= figures[key]["value"] <= figures[key]["high"]
        assert {"brier", "log_loss", "lift_top_decile", "calibration_ratio"} <= set(figures)
        assert {"precision", "recall", "f1"} <= set(figures)
    flagged = rows.probabilities[OURS] >= 0.4
    rate = rows.label.mean()
    at_random = found["models"]["base_rate"]["metrics"]
    assert at_random["precision"]["value"] == pytest.approx(rate, abs=1e-6)
    assert at_random["recall"]["value"] == pytest.approx(flagged.mean(), abs=1e-6)
    alike = found["models"]["logistic_regression"]["metrics"]
    assert alike["precision"] == found["models"][OURS]["metrics"]["precision"]
    assert found["models"][OURS]["metrics"]["precision"]["value"] == pytest.approx(
        precision_score(rows.label, flagged), abs=1e-6
    )
    assert found["models"]["base_rate"]["note"] == "30 % for everybody"


def test_rows_of_equal_score_share_the_last_places() -> None:
    """As many rows as asked for are taken, the highest first; those at the edge in equal parts."""
    score = np.array([0.1, 0.9, 0.5, 0.5, 0.5, 0.2])
    assert report.highest(score, 2).tolist() == pytest.approx([0, 1, 1 / 3, 1 / 3, 1 / 3, 0])
    assert report.highest(score, 0).tolist() == [0] * 6
    assert report.highest(score, 6).tolist() == [1] * 6


def test_gain_is_ours_minus_each_baseline_on_the_same_resamples() -> None:
    """A surely better score has a gain above 0; one that ranks alike has a gain of exactly 0, interval and all."""
    gain = evaluate(rows_of(), samples=60, seed=1)["roc_auc_gain"]
    assert set(gain) == set(LABELS) - {OURS}
    assert gain["best_single_feature"]["low"] > 0
    assert gain["logistic_regression"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    worse = evaluate(rows_of(better=-1.0), samples=60, seed=1)["roc_auc_gain"]
    assert worse["best_single_feature"]["high"] < 0


def test_report_is_json_and_repeats_itself() -> None:
    """Equal rows and seed give equal JSON, without NaN, even where nothing can be judged."""
    for rows in (rows_of(), rows_of(events=False)):
        once = json.dumps(evaluate(rows, samples=30, seed=5), allow_nan=False)
        assert once == json.dumps(evaluate(rows, samples=30, seed=5), allow_nan=False)
    nothing = evaluate(rows_of(events=False), samples=30, seed=5)
    assert nothing["models"][OURS]["metrics"]["roc_auc"] == {"value": None, "low": None, "high": None}


def shown(found: dict[str, object]) -> str:
    """Return the table of *found* as a wide terminal shows it."""
    out = io.StringIO()
    Console(file=out, width=240).print(evaluation_table(found))
    return out.getvalue()


def test_table_shows_every_baseline_beside_ours() -> None:
    """For each head and horizon there is a line a model, ours first, with events over rows in front."""
    horizon = evaluate(rows_of(), samples=30, seed=1)
    text = shown({"heads": {head: {"horizons": {"30d": horizon}} for head in ("churn", "upsell")}})
    assert text.count("Keepgrow") == text.count("logistic regression") == text.count("base rate") == 2
    assert f"churn 30d ({horizon['events']}/400)" in text
    auc = horizon["models"][OURS]["metrics"]["roc_auc"]
    assert f"{auc['value']:.3f} [{auc['low']:.2f}-{auc['high']:.2f}]" in text
    assert text.index("Keepgrow") < text.index("base rate")


def test_undefined_figures_are_shown_as_such() -> None:
    """Where no event makes a figure undefined, the table shows a dash and no number."""
    text = shown(
        {"heads": {"churn": {"horizons": {"30d": evaluate(rows_of(events=False), samples=30, seed=1)}}}}
    )
    ours = next(line for line in text.splitlines() if "Keepgrow" in line)
    assert "nan" not in text.lower()
    assert [cell.strip() for cell in ours.split("│")][3:5] == ["-", "-"]
