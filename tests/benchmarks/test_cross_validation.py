"""The cross-validation behind the benchmarks: folds, held-out scores, paired intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.cross_validation import HeldOut, cross_validate, stratified_folds
from benchmarks.tables import Table
from training.evaluation import metrics
from training.evaluation.baselines import Column


def made_table(rows: int = 300, seed: int = 0) -> Table:
    """Return rows whose first column drives the event and whose second says which row it is."""
    generator = np.random.default_rng(seed)
    driver = generator.normal(size=rows)
    label = (generator.random(rows) < 1 / (1 + np.exp(1.5 - 2 * driver))).astype(float)
    matrix = np.column_stack([driver, np.arange(rows, dtype=float)])
    return Table(matrix, (Column("driver"), Column("row")), label)


def peeking(train: Table, test: Table, seed: int) -> np.ndarray:
    """Score 1 for every row that was trained on, so that a leak shows."""
    return np.isin(test.matrix[:, 1], train.matrix[:, 1]).astype(float) + seed


def by_driver(train: Table, test: Table, seed: int) -> np.ndarray:
    """Score by the column that matters."""
    del train, seed
    return test.matrix[:, 0]


def by_lot(train: Table, test: Table, seed: int) -> np.ndarray:
    """Score by lot."""
    del train
    return np.random.default_rng(seed).random(len(test.label))


def test_folds_hold_every_row_once_with_the_same_share_of_events():
    """Folds differ in size by one row at most, and so do their events."""
    label = np.r_[np.ones(53), np.zeros(247)]
    fold = stratified_folds(label, folds=5, seed=3)
    assert np.ptp(np.bincount(fold)) <= 1
    assert np.ptp(np.bincount(fold, weights=label)) <= 1
    assert (fold != stratified_folds(label, folds=5, seed=4)).any()


def test_no_row_is_scored_by_a_model_that_was_fitted_to_it():
    """Every score of every repeat comes from the fold in which the row was held out, with the repeat's seed."""
    found = cross_validate(made_table(), {"peeking": peeking}, folds=4, seeds=(10, 20), workers=1)
    assert (found.scores["peeking"] == np.array([[10.0], [20.0]])).all()


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    """One informed and one ignorant model, two repeats."""
    return cross_validate(
        made_table(), {"driver": by_driver, "lot": by_lot}, folds=3, seeds=(1, 2), workers=1
    )


def test_a_figure_is_the_mean_over_folds_and_repeats(held_out):
    """The figure equals scikit-learn's metric averaged by hand, and lies within its interval."""
    by_hand = [
        roc_auc_score(held_out.label[fold == number], scores[fold == number])
        for fold, scores in zip(held_out.fold, held_out.scores["lot"], strict=True)
        for number in range(3)
    ]
    found = held_out.estimate("lot", metrics.roc_auc, samples=60, seed=0)
    assert found.value == pytest.approx(np.mean(by_hand))
    assert found.low < found.value < found.high
    low, high = held_out.spread("lot", metrics.roc_auc)
    assert (low + high) / 2 == pytest.approx(found.value)


def test_a_gain_tells_an_informed_model_from_a_guess_and_not_from_itself(held_out):
    """Against the guess the interval is above zero; against itself it is exactly zero."""
    assert held_out.gain("driver", "lot", metrics.roc_auc, samples=60, seed=0).low > 0.1
    same = held_out.gain("driver", "driver", metrics.roc_auc, samples=60, seed=0)
    assert (same.value, same.low, same.high) == (0, 0, 0)
