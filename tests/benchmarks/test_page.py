"""From results to the documentation page, and the command that runs all benchmarks."""

from __future__ import annotations

import sys

import pytest

from benchmarks.page import (
    BEGIN,
    END,
    MADE_UP_RESULTS,
    PAGE,
    PageError,
    assembled,
    made_up,
    marks,
    measured,
    write_page,
)
from benchmarks.result import Figure, Line, Result, markdown, read, verdicts, write
from benchmarks.run import benchmarks, command, main, run_all
from benchmarks.shared_data import ROOT

MADE_UP = "\n\n".join("\n".join(marks(name)) for name in MADE_UP_RESULTS)
ABLATION_END = marks("ablation")[1]
LINES = (
    Line(
        model="Keepgrow",
        kind="ours",
        figures={"auc": Figure(value=0.8, low=0.7, high=0.9)},
        spread=(0.79, 0.81),
    ),
    Line(
        model="weak",
        kind="baseline",
        figures={"auc": Figure(value=0.6, low=0.5, high=0.7)},
        gain=Figure(value=0.2, low=0.1, high=0.3),
        note="linear",
    ),
    Line(
        model="strong",
        kind="yardstick",
        figures={"auc": Figure(value=0.85, low=0.8, high=0.9)},
        gain=Figure(value=-0.05, low=-0.08, high=-0.01),
    ),
    Line(
        model="peer",
        kind="yardstick",
        figures={"auc": Figure(value=0.8, low=0.7, high=0.9)},
        gain=Figure(value=0, low=-0.1, high=0.1),
    ),
    Line(model="paper", kind="published", figures={"auc": Figure(value=0.75)}),
)
RESULT = Result(
    name="made",
    title="Made up",
    data="Nobody's customers.",
    split="No split.",
    interval="No resampling.",
    metrics={"auc": ("ROC AUC", 2)},
    lines=LINES,
    plan="quick",
    made_on="2026-01-01",
    seconds=3,
    versions={"lightgbm": "4"},
    missing=("XGBoost: it is not installed",),
)


def test_a_result_survives_writing_and_reading(tmp_path):
    """What is read back is equal to what was written."""
    write(RESULT, tmp_path)
    assert read(tmp_path / "made.json") == RESULT


def test_the_table_shows_intervals_gains_and_what_is_missing():
    """Ours is bold, gains carry their sign, a published figure has no interval, and an absent yardstick is named."""
    text = markdown(RESULT)
    assert "| **Keepgrow** | **0.80 [0.70, 0.90]** | | 0.79 to 0.81 |" in text
    assert "+0.20 [+0.10, +0.30]" in text
    assert "| paper | 0.75 |" in text
    assert "Left out: XGBoost: it is not installed." in text


def test_a_verdict_needs_an_interval_that_leaves_out_zero():
    """Ahead, behind and level are told by the gain's interval; lines without a gain have no verdict."""
    assert verdicts(RESULT) == [
        "ROC AUC: ours is ahead, with an interval above zero, of weak.",
        "ROC AUC: ours is behind, with an interval below zero, of strong.",
        "ROC AUC: the interval holds zero for peer.",
    ]


def test_verdicts_name_a_model_once_and_tell_every_metric():
    """A model that is beaten in every task needs no list of them; other metrics have verdicts of their own."""

    def line(task, model, gain, brier):
        interval = {"low": gain - 0.1, "high": gain + 0.1}
        other = {"brier": Figure(value=brier, low=brier - 0.1, high=brier + 0.1)}
        return Line(
            group=task,
            model=model,
            kind="baseline",
            figures={},
            gain=Figure(value=gain, **interval),
            gains=other,
        )

    lines = [line("30 d", "base", 0.2, 0.0), line("60 d", "base", 0.3, 0.0)]
    lines += [line("30 d", "tuned", 0.2, 0.0), line("60 d", "tuned", 0.0, -0.2)]
    told = RESULT.model_copy(
        update={"metrics": {"auc": ("ROC AUC", 2), "brier": ("Brier score", 2)}, "lines": tuple(lines)}
    )
    assert verdicts(told) == [
        "ROC AUC: ours is ahead, with an interval above zero, of base; tuned (30 d).",
        "ROC AUC: the interval holds zero for tuned (60 d).",
        "Brier score: the interval holds zero for base; tuned (30 d).",
        "Brier score: ours is behind, with an interval below zero, of tuned (60 d).",
    ]
    assert "| ours minus it (Brier score) |" in markdown(told)
    assert "in every task" in verdicts(told.model_copy(update={"lines": tuple(lines[:2])}))[0]


def test_the_page_holds_every_result_between_its_marks(tmp_path):
    """Known results come first, others after them, those of a synthetic world never; headings move to level two."""
    folder = tmp_path / "results"
    write(RESULT, folder)
    write(RESULT.model_copy(update={"name": "telco", "title": "Telco"}), folder)
    (folder / "hillstrom.md").write_text("### Uplift\n\n#### visit\n", encoding="utf-8")
    (folder / "synthetic-uplift.md").write_text("# Made\n\nnot of customers\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{BEGIN}\nbygone\n{END}\n\n{MADE_UP}\n\nAfter.\n", encoding="utf-8")
    write_page(folder, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Title\n")
    assert text.endswith(f"{ABLATION_END}\n\nAfter.\n")
    assert "Not measured yet: `python -m benchmarks.run --only hillstrom_simulated`." in text
    assert "bygone" not in text
    assert "not of customers" not in text
    assert (
        text.index("## Telco") < text.index("## Uplift") < text.index("### visit") < text.index("## Made up")
    )
    assert "ROC AUC: ours is behind, with an interval below zero, of strong." in text
    write_page(folder, page)
    assert page.read_text(encoding="utf-8") == text


def test_the_ablation_stands_between_marks_of_its_own(tmp_path):
    """It has a synthetic world in it, so that it is never among what was measured on data of others."""
    folder = tmp_path / "results"
    write(RESULT, folder)
    assert "--only ablation" in made_up(folder, "ablation")
    (folder / "ablation.md").write_text("# Ablation\n\n### Synthetic world\n", encoding="utf-8")
    assert "Synthetic" not in measured(folder)
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n\n{MADE_UP}\n", encoding="utf-8")
    write_page(folder, page)
    text = page.read_text(encoding="utf-8")
    assert (
        text.index(END)
        < text.index("## Ablation")
        < text.index("#### Synthetic world")
        < text.index(ABLATION_END)
    )


def test_a_page_without_marks_or_results_is_refused(tmp_path):
    """The error says what is missing."""
    with pytest.raises(PageError, match="marks"):
        assembled("no marks here", "text")
    with pytest.raises(PageError, match="make bench-models"):
        measured(tmp_path)


def test_the_shipped_page_holds_the_shipped_results():
    """The documentation says what the results in the repository say."""
    results = ROOT / "benchmarks" / "results"
    assert measured(results) in PAGE.read_text(encoding="utf-8")
    for name in MADE_UP_RESULTS:
        assert made_up(results, name) in PAGE.read_text(encoding="utf-8")


def test_every_script_that_can_be_run_is_found():
    """The four of this kind are found; the command itself and the page are not."""
    found = benchmarks(ROOT / "benchmarks")
    assert {"churnsim", "coil", "sentiment", "telco"} <= set(found)
    assert not {"run", "page", "plan"} & set(found)
    assert command("telco", quick=True)[-1] == "--quick"
    assert command("telco", quick=False)[-1] == "benchmarks.telco"


def test_one_benchmark_that_fails_or_hangs_does_not_stop_the_others(capfd):
    """Each ends with its own state, and all within the bound."""
    words = [sys.executable, "-W", "ignore", "-c"]
    ran = run_all(
        {
            "bad": [*words, "raise SystemExit(3)"],
            "good": [*words, "print('here')"],
            "slow": [*words, "import time; time.sleep(60)"],
        },
        seconds=3,
    )
    assert [one.state for one in ran] == ["failed", "done", "stopped"]
    assert sum(one.seconds for one in ran) < 20
    assert "here" in capfd.readouterr().out


def test_without_the_data_sets_nothing_runs_and_the_setting_is_named(tmp_path, monkeypatch, capsys):
    """One sentence says which folder was looked for and what names it; no benchmark is started, no page written."""
    monkeypatch.setenv("KEEPGROW_SHARED_DATA", str(tmp_path / "nowhere"))
    assert main(["--only", "telco"]) == 1
    told = capsys.readouterr().out
    assert "nowhere is not there; KEEPGROW_SHARED_DATA names the folder" in told
    assert "telco:" not in told
