"""The contestants: each learns what is there to learn, from training rows alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.contest import LOGISTIC, OURS, by_library, contestants, main_effects, ours
from benchmarks.packages import MissingYardstickError, package
from benchmarks.plan import QUICK
from benchmarks.shipped_trainer import definitions
from benchmarks.tables import Table
from benchmarks.tuned import LIBRARIES, logistic
from training.definitions import load_definitions


def made_frame(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows with a number, a category, a number that is sometimes missing, and their label."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "usage": generator.normal(size=rows),
            "plan": generator.choice(["basic", "pro", "team"], size=rows),
            "age": np.where(generator.random(rows) < 0.1, np.nan, generator.random(rows)),
        }
    )
    margin = -1 - 1.5 * frame["usage"] + 2.0 * (frame["plan"] == "pro")
    label = (generator.random(rows) < 1 / (1 + np.exp(-margin))).astype(float).to_numpy()
    return frame, label


@pytest.fixture(scope="module")
def halves() -> tuple[Table, Table]:
    """Rows to train on and rows to score."""
    frame, label = made_frame(1600, 0)
    table = Table.of(frame, label, frozenset({"plan"}))
    return table.rows(np.arange(1000)), table.rows(np.arange(1000, 1600))


def test_a_table_encodes_categories_in_sorted_order_and_keeps_what_is_missing():
    """A category is its position in sorted order, numbers stay, and one-hot columns add up to one a category."""
    frame = pd.DataFrame({"plan": ["pro", "basic", "pro"], "age": [1.5, np.nan, 2.0]})
    table = Table.of(frame, np.array([0.0, 1.0, 0.0]), frozenset({"plan"}))
    assert table.matrix[:, 0].tolist() == [1, 0, 1]
    assert np.isnan(table.matrix[1, 1])
    assert table.one_hot()[:, :2].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert table.categorical == [0]


@pytest.mark.parametrize("model", [ours, main_effects])
def test_the_shipped_trainer_ranks_held_out_rows(halves, model):
    """The product's own head trainer, with its own stages, finds the signal and gives probabilities."""
    train, test = halves
    found = model(train, test, 5)
    assert roc_auc_score(test.label, found) > 0.8
    assert abs(found.mean() - test.label.mean()) < 0.1
    assert (found == model(train, test, 5)).all()


def test_the_contest_changes_nothing_of_the_shipped_trainer_but_its_horizons():
    """The definitions of the contest are the shipped ones, with a single interval."""
    shipped = load_definitions()
    assert definitions().model == shipped.model
    assert definitions().horizons_days == (30,)


def test_logistic_regression_ranks_held_out_rows(halves):
    """The linear baseline finds a linear signal."""
    train, test = halves
    assert roc_auc_score(test.label, logistic(train, test, seed=1)) > 0.8


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_tuned_library_ranks_held_out_rows(halves, name):
    """Each library, tuned with one trial, finds the signal; one that is not installed is said to be missing."""
    try:
        package("optuna")
        package(LIBRARIES[name][0])
    except MissingYardstickError as error:
        pytest.skip(str(error))
    train, test = halves
    assert roc_auc_score(test.label, by_library(name, 1, train, test, 1)) > 0.8


def test_a_missing_library_is_named_and_the_others_take_part(monkeypatch):
    """A library that is not installed leaves a sentence instead of a line."""
    monkeypatch.setitem(LIBRARIES, "Absent", ("no_such_library", LIBRARIES["LightGBM"][1]))
    models, missing = contestants(QUICK)
    assert {OURS, LOGISTIC} <= set(models)
    assert "Absent, tuned" not in models
    assert any(sentence.startswith("Absent: the package") for sentence in missing)
