"""Tuning: repeatable, resumable, never worse on validation, and ended by its budget."""

from __future__ import annotations

import json

import pytest

from tests.training import toy
from training.definitions import Definitions
from training.settings import TrainingSettings
from training.tuning import Budget, tune

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
        WORLD,
        toy.SPLIT,
        DEFINITIONS,
        budget=budget,
        seed=changes.pop("seed", 5),
        settings=SETTINGS,
        folder=folder,
        progress=(lines if lines is not None else []).append,
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
    assert resumed.definitions == whole.definitions
    assert {**resumed.report, "seconds": 0} == {**whole.report, "seconds": 0}


def test_the_outcome_is_no_worse_on_validation_and_says_so(whole):
    """The stages as they were are the first trial; the report is JSON and names losses before and after."""
    report = json.loads(json.dumps(whole.report, allow_nan=False))
    assert report["loss_after"] <= report["loss_before"]
    assert report["trials"] == 10
    assert report["loss_after"] == pytest.approx(sum(report["validation_log_loss"].values()))


def test_tuned_definitions_differ_in_stages_alone_and_in_their_hash(whole):
    """What is predicted stays as it was; stumps stay stumps; other stages have another hash."""
    before, after = DEFINITIONS.model_dump(), whole.definitions.model_dump()
    stages = after["model"].pop("stages")
    was = before["model"].pop("stages")
    assert before == after
    assert stages[0]["num_leaves"] == 2
    assert stages != was
    assert whole.definitions.hash != DEFINITIONS.hash


def test_minutes_end_the_search_after_at_least_one_trial():
    """A clock that runs a minute a look allows one trial of a budget of half a minute: the stages as they are."""
    moments = iter(range(0, 100_000, 60))
    found = tuned(Budget(minutes=0.5), clock=lambda: float(next(moments)))
    assert found.report["trials"] == 1
    assert found.definitions == DEFINITIONS


def test_another_seed_is_another_search(tmp_path):
    """Searches with different seeds share a folder and not their trials."""
    tuned(Budget(trials=2), tmp_path)
    lines: list[str] = []
    tuned(Budget(trials=2), tmp_path, lines, seed=6)
    assert len(lines) == 2


@pytest.mark.parametrize("limits", [{}, {"trials": 0}, {"minutes": 0.0}])
def test_a_budget_without_an_end_or_without_room_is_refused(limits):
    """No limit, no trials and no minutes are mistakes."""
    with pytest.raises(ValueError, match="tuning needs"):
        Budget(**limits)
