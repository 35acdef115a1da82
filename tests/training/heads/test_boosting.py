"""Boosters: person-periods, stages that go on from one another, and what a frozen booster holds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training.definitions import load_definitions
from training.heads import boosting
from training.labels import Intervals

STAGES = load_definitions().model.stages
PARAMS = [boosting.parameters(stage, seed=4, num_threads=1) for stage in STAGES]


def rows(seed, count=3000):
    """Return booster rows whose first column drives the event and whose second interacts with it."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, 4))
    matrix[rng.random((count, 4)) < 0.05] = np.nan
    matrix[:, 3] = 0.0
    signal = np.nan_to_num(matrix[:, 0]) + 2 * (np.nan_to_num(matrix[:, 0]) * np.nan_to_num(matrix[:, 1]) > 0)
    event = (rng.random(count) < 1 / (1 + np.exp(3.5 - signal))).astype(float)
    periods = boosting.PersonPeriods(np.arange(count), event, np.ones(count))
    return boosting.BoosterRows(matrix, periods, ["x", "y", "z", "constant"])


@pytest.fixture(scope="module")
def booster():
    """A booster of main effects, then interactions."""
    train, validation = rows(1), rows(2)
    first = boosting.fit_with_early_stopping(train, validation, PARAMS[0], max_rounds=80, patience=10)
    second = boosting.fit_with_early_stopping(
        train, validation, PARAMS[1], max_rounds=60, patience=10, base=first
    )
    return first, second, train, validation


def test_person_periods_count_each_interval_lived_through():
    """A row that lived through one interval and met the event in the next is one non-event and one event."""
    spans = Intervals(
        at_risk=np.array([[True, True, False], [True, True, True], [True, True, True]]),
        event=np.array([[False, True, False], [False, False, False], [True, False, False]]),
        observed=np.array([[True, True, True], [True, True, False], [False, False, False]]),
    )
    periods = boosting.PersonPeriods.of(spans.at_risk, spans.event, spans.observed)
    found = sorted(zip(periods.rows.tolist(), periods.event.tolist(), periods.weight.tolist(), strict=True))
    assert found == [(0, 0.0, 1.0), (0, 1.0, 1.0), (1, 0.0, 2.0)]
    assert periods.events == 1


def test_a_later_stage_holds_the_former_and_improves_on_it(booster):
    """Going on from a booster keeps its trees first; where interactions matter, validation gains."""
    first, second, _, validation = booster
    assert second.num_trees() > first.num_trees()
    assert validation.loss(second) < validation.loss(first)
    kept = second.predict(validation.matrix, raw_score=True, num_iteration=first.num_trees())
    np.testing.assert_allclose(kept, first.predict(validation.matrix, raw_score=True), atol=1e-12)


def test_a_frozen_booster_predicts_with_all_its_trees(booster):
    """Nothing depends on a hidden best iteration: raw scores are the sum of every tree's leaf."""
    _, second, _, validation = booster
    leaves = second.predict(validation.matrix[:50], pred_leaf=True)
    total = np.zeros(50)
    for tree in range(second.num_trees()):
        total += [second.get_leaf_output(tree, int(leaf)) for leaf in leaves[:, tree]]
    np.testing.assert_allclose(total, second.predict(validation.matrix[:50], raw_score=True), atol=1e-12)


def test_trees_can_be_exported_exactly(booster):
    """No categorical splits, no linear leaves, and zero is a number, not a missing value."""
    dumped = json.dumps(booster[1].dump_model())
    assert '"decision_type": "=="' not in dumped
    assert '"missing_type": "Zero"' not in dumped
    assert all("leaf_coeff" not in tree for tree in booster[1].dump_model()["tree_info"])


def test_a_stage_that_does_not_help_is_left_out():
    """Where validation is noise to training, the base comes back as it is."""
    train, validation = rows(1), rows(2)
    shuffled = boosting.PersonPeriods(
        train.periods.rows, np.random.default_rng(0).permutation(train.periods.event), train.periods.weight
    )
    noise = boosting.BoosterRows(train.matrix, shuffled, train.feature_names)
    base = boosting.fit_with_early_stopping(train, validation, PARAMS[0], max_rounds=80, patience=10)
    again = boosting.fit_with_early_stopping(
        noise, validation, PARAMS[1], max_rounds=30, patience=5, base=base
    )
    assert again is base


def test_a_given_number_of_rounds_is_kept(booster):
    """Fitting without early stopping adds exactly the rounds asked for; none gives the base itself."""
    first, _, train, _ = booster
    assert boosting.fit_rounds(train, PARAMS[1], 7, first).num_trees() == first.num_trees() + 7
    assert boosting.fit_rounds(train, PARAMS[1], 0, first) is first
    assert boosting.fit_rounds(train, PARAMS[0], 5).num_trees() == 5
