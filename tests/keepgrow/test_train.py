"""What `keepgrow train` says of its cost, and what its options lead to."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.testing import CliRunner

import keepgrow
from keepgrow.__main__ import build_app
from keepgrow.train import _tuning, cost_sentence
from serving.bundle.manifest import StageCost, TrainingCost
from training.tuning import Budget, Tuner


def cost(*, kept: bool) -> TrainingCost:
    """Return what a training of two stages took."""
    stages = (StageCost(name="churn head", seconds=4.0, kept=kept), StageCost(name="export", seconds=2.5))
    return TrainingCost(seconds=6.75, processor_seconds=9.0, peak_memory_bytes=1_234_000_000, stages=stages)


def test_the_summary_tells_time_memory_and_the_longest_stages() -> None:
    """Seconds by the clock and of the processor, the peak of memory, and stages by their length."""
    assert cost_sentence(cost(kept=False)) == (
        "took 6.8 s (9.0 s of processor time), 1.23 GB of memory at its peak; longest: churn head 4.0 s, export 2.5 s"
    )


def test_the_summary_of_a_training_that_went_on_says_what_was_kept() -> None:
    """Stages that an earlier attempt made are counted apart."""
    assert cost_sentence(cost(kept=True)) == (
        "took 6.8 s (9.0 s of processor time) besides 1 stage kept from before, 1.23 GB of memory at its peak; "
        "longest: churn head 4.0 s (before), export 2.5 s"
    )


def test_tuning_is_asked_for_by_trials_or_minutes() -> None:
    """Without either there is none; with both, what ends first."""
    assert _tuning(None, None, Path("trials")) is None
    assert _tuning(30, None, None) == Tuner(Budget(trials=30))
    assert _tuning(30, 2.0, Path("trials")) == Tuner(Budget(trials=30, minutes=2.0), Path("trials"))


def test_the_reference_names_every_option() -> None:
    """Each option of the command has a line in its reference, and each line there is of an option."""
    text = (Path(keepgrow.__file__).parent.parent / "docs" / "reference" / "train.md").read_text()
    told = set(re.findall(r"^\| `(--[a-z-]+)", text, flags=re.MULTILINE))
    command = typer.main.get_command(build_app("train")).commands["train"]
    assert told == {name for one in command.params for name in one.opts if name.startswith("--")} - {"--help"}


def test_help_tells_how_to_go_on_and_how_to_start_anew() -> None:
    """The options of tuning, keeping and starting anew stand in the help."""
    printed = CliRunner().invoke(build_app("train"), ["train", "--help"], env={"COLUMNS": "200"}).stdout
    for option in ("--tune-trials", "--tune-minutes", "--tune-folder", "--stages-folder", "--fresh"):
        assert option in printed
    assert "goes on where one that was stopped or killed left off" in printed
