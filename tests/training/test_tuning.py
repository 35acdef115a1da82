"""Tuning: repeatable, resumable, never worse on validation, and ended by its budget."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.training import toy
from training.definitions import Definitions
from training.errors import InUseError
from training.settings import TrainingSettings
from training.tuning import Budget, Tuner, tune
from training.tuning_journal import JOURNAL

SETTINGS = TrainingSettings(num_threads=1)


def small_definitions():
    """Return the default definitions with few rounds, so that a trial takes a moment."""
    values = toy.DEFINITIONS.model_dump()
    for stage in values["model"]["stages"]:
        stage["max_rounds"], stage["max_interval_rounds"] = 12, 0
    return Definitions.model_validate(values)


DEFINITIONS = small_definitions()
WORLD = toy.world(accounts=120)


def tuned(budget, folder=None, lines=None, **changes):
    """Tune on the toy world."""
    return tune(
        changes.pop("rows", WORLD),
        toy.SPLIT,
        DEFINITIONS,
        budget=budget,
        seed=changes.pop("seed", 5),
        settings=SETTINGS,
        folder=folder,
        progress=changes.pop("progress", (lines if lines is not None else []).append),
        **changes,
    )


@pytest.fixture(scope="module")
def whole():
    """Ten trials in one go."""
    return tuned(Budget(trials=10))


def test_an_interrupted_search_goes_on_to_the_same_end(whole, tmp_path):
    """Four trials, then the rest out of the folder: the same stages and the same losses as in one go."""
    lines: list[str] = []
    tuned(Budget(trials=4), tmp_path, lines)
    resumed = tuned(Budget(trials=10), tmp_path, lines)
    assert len(lines) == 10
    assert resumed == whole


def killed_in_trial(number, folder):
    """Tune in a process of its own that is killed by SIGKILL in the middle of trial *number*."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.training import test_tuning as here\n"
        "from training import tuning\n"
        "train_head, calls = tuning.train_head, iter(range(1_000))\n"
        "def train_or_die(*args, **options):\n"
        "    if next(calls) == 2 * int(sys.argv[1]) + 1:\n"  # of its two heads, the first is trained
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return train_head(*args, **options)\n"
        "tuning.train_head = train_or_die\n"
        "here.tuned(here.Budget(trials=10), Path(sys.argv[2]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(number), str(folder)],
        env=os.environ, check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_search_killed_in_the_middle_of_trials_comes_to_the_same_end(whole, tmp_path):
    """Killed in its first trial, the search still begins with the stages as given; killed again, it goes on alike."""
    first, folder = tmp_path / "first", tmp_path / "both"
    killed_in_trial(0, folder)
    shutil.copytree(folder, first)
    alone = tuned(Budget(trials=1), first)
    assert alone.definitions == DEFINITIONS
    assert alone.report["loss_before"] == alone.report["loss_after"] == whole.report["loss_before"]
    assert alone.report["best_trial"] == 0
    killed_in_trial(1, folder)
    lines: list[str] = []
    assert tuned(Budget(trials=10), folder, lines) == whole
    assert len(lines) == 9


def test_a_search_that_another_process_is_at_is_refused_with_its_number(tmp_path):
    """In the middle of a trial the same search can't be begun again; another in the folder can, and so can it later."""
    told: list[str] = []

    def meanwhile(line):
        if told:
            return
        told.append(line)
        with pytest.raises(
            InUseError, match=rf"{tmp_path}.*under way in process {os.getpid()} on .*--tune-folder"
        ):
            tuned(Budget(trials=2), tmp_path)
        tuned(Budget(trials=1), tmp_path, seed=6)

    tuned(Budget(trials=2), tmp_path, progress=meanwhile)
    assert told
    lines: list[str] = []
    tuned(Budget(trials=3), tmp_path, lines)
    assert len(lines) == 1


def test_the_outcome_is_no_worse_on_validation_and_says_so(whole):
    """The stages as they were are the first trial; the report is JSON and names losses before and after."""
    report = json.loads(json.dumps(whole.report, allow_nan=False))
    assert report["loss_after"] <= report["loss_before"]
    assert report["trials"] == 10
    assert report["loss_after"] == pytest.approx(sum(report["validation_log_loss"].values()))
    assert set(report["validation_log_loss"]) == {"churn", "upsell"}


def test_tuned_definitions_differ_in_stages_alone_and_in_their_hash(whole):
    """What is predicted stays as it was; stumps stay stumps; other stages have another hash."""
    before, after = DEFINITIONS.model_dump(), whole.definitions.model_dump()
    stages = after["model"].pop("stages")
    was = before["model"].pop("stages")
    assert before == after
    assert stages[0]["num_leaves"] == 2
    assert stages != was
    assert whole.definitions.hash != DEFINITIONS.hash


class CountingClock:
    """A clock that goes on by a second each time that it is looked at."""

    def __init__(self):
        self.seconds = -1.0

    def __call__(self):
        """Return the seconds so far."""
        self.seconds += 1.0
        return self.seconds


def test_minutes_end_the_search_within_a_round_of_boosting():
    """A trial that is under way when the minutes are over is stopped at the next round, and counts for nothing."""
    clock, lines = CountingClock(), []
    found = tuned(Budget(minutes=1.0), lines=lines, clock=clock)
    assert 60.0 <= clock.seconds <= 61.0  # one look, and at most another by the loop
    assert found.report["trials"] == len(lines) - 1 >= 1
    assert lines[-1] == f"tuning: trial {len(lines) - 1} stopped, the 1 minutes are over"


def test_minutes_that_are_over_in_the_first_trial_leave_the_stages_as_they_are():
    """With too little time for a single trial, nothing is measured, and the definitions come back."""
    found = tuned(Budget(minutes=0.1), clock=CountingClock())
    assert found.definitions == DEFINITIONS
    report = json.loads(json.dumps(found.report, allow_nan=False))
    assert (report["trials"], report["loss_before"], report["best_trial"]) == (0, None, None)


@pytest.mark.parametrize(
    "other",
    [{"seed": 6}, {"code": "0.2"}, {"rows": dataclasses.replace(WORLD, featureless_rows=1)}],
    ids=["seed", "code", "data"],
)
def test_another_seed_code_or_data_is_another_search(other, tmp_path):
    """Searches that differ in any of these share a folder and not their trials."""
    tuned(Budget(trials=1), tmp_path)
    lines: list[str] = []
    tuned(Budget(trials=1), tmp_path, lines, **other)
    assert len(lines) == 1


def test_a_tuner_keeps_trials_in_its_own_folder_or_in_the_trainings(tmp_path):
    """Its own folder comes first; without one, trials lie beside the stages of the training."""
    own, given = tmp_path / "own", tmp_path / "given"
    options = {"seed": 5, "settings": SETTINGS, "folder": given, "code": "", "progress": lambda _: None}
    Tuner(Budget(trials=1))(WORLD, toy.SPLIT, DEFINITIONS, **options)
    assert (given / JOURNAL).is_file()
    Tuner(Budget(trials=1), own)(WORLD, toy.SPLIT, DEFINITIONS, **options)
    assert (own / JOURNAL).is_file()
    assert Tuner(Budget(trials=3, minutes=0.5)).name == "tuning, 3 trials or 0.5 minutes"


@pytest.mark.parametrize("limits", [{}, {"trials": 0}, {"minutes": 0.0}])
def test_a_budget_without_an_end_or_without_room_is_refused(limits):
    """No limit, no trials and no minutes are mistakes."""
    with pytest.raises(ValueError, match="tuning needs"):
        Budget(**limits)
