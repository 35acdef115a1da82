"""The baselines: what they predict, and that they take what real matrices hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.evaluation import baselines
from training.evaluation.baselines import Column

COLUMNS = (Column("signal"), Column("noise"), Column("empty"), Column("plan", 3), Column("constant"))


def sample(seed=0, rows=4000):
    """Return a matrix and labels that `signal` and `plan` drive; some values are missing, one column is."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            rng.normal(size=rows),
            rng.normal(size=rows),
            np.full(rows, np.nan),
            rng.integers(0, 3, rows),
            np.ones(rows),
        ]
    )
    odds = -2 + matrix[:, 0] + np.array([0.0, 2.0, 0.0])[matrix[:, 3].astype(int)]
    label = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    matrix[rng.random(rows) < 0.1, 1] = np.nan
    matrix[rng.random(rows) < 0.1, 3] = np.nan
    matrix[0, 0] = 1e12
    return matrix, label


def test_the_base_rate_is_the_event_rate_for_everybody():
    """Every row gets the rate of the training rows, also when there was no event."""
    matrix, label = sample()
    assert baselines.base_rate(label).probability(matrix) == pytest.approx(label.mean())
    assert 0 < baselines.base_rate(np.zeros(50)).probability(matrix)[0] < 0.05


def test_single_feature_auc_equals_scikit_learn_and_knows_no_direction():
    """A number's AUC is scikit-learn's or one minus it; a missing column is at one half."""
    matrix, label = sample()
    found = baselines.single_feature_auc(matrix, label, COLUMNS)
    assert found[0] == pytest.approx(roc_auc_score(label, matrix[:, 0]))
    flipped = baselines.single_feature_auc(-matrix[:, [0]], label, COLUMNS[:1])
    assert flipped[0] == pytest.approx(found[0])
    assert found[2] == found[4] == 0.5


def test_a_category_and_a_missing_value_can_rank_too():
    """The order of codes does not matter, and that a value is missing may tell everything."""
    label = np.tile([1.0, 0.0, 0.0], 50)
    codes = np.tile([1.0, 0.0, 2.0], 50)[:, None]
    assert baselines.single_feature_auc(codes, label, (Column("plan", 3),))[0] == 1.0
    telling = np.where(label > 0, np.nan, 5.0)[:, None]
    assert baselines.single_feature_auc(telling, label, (Column("gap"),))[0] == 1.0


def test_the_best_single_feature_is_chosen_and_named():
    """The baseline names the column, and ranks as that column does."""
    matrix, label = sample()
    auc = baselines.single_feature_auc(matrix, label, COLUMNS)
    found = baselines.best_single_feature(matrix, label, COLUMNS, auc)
    assert found.note.startswith("signal")
    fresh, truth = sample(seed=9)
    fresh = np.clip(fresh, -2, 2)
    assert roc_auc_score(truth, found.probability(fresh)) == pytest.approx(roc_auc_score(truth, fresh[:, 0]))


def test_logistic_regression_uses_numbers_and_categories():
    """It beats the best single feature on fresh rows, is calibrated, and survives an outlier and an empty column."""
    matrix, label = sample()
    fresh, truth = sample(seed=9)
    found = baselines.logistic_regression(matrix, label, COLUMNS, strength=1.0)
    probability = found.probability(fresh)
    assert roc_auc_score(truth, probability) > roc_auc_score(truth, fresh[:, 0]) + 0.03
    assert probability.mean() == pytest.approx(truth.mean(), rel=0.1)


def test_one_class_gives_the_base_rate():
    """Logistic regression on rows without an event is the base rate, and says so."""
    matrix, _label = sample(rows=100)
    found = baselines.logistic_regression(matrix, np.zeros(100), COLUMNS, strength=1.0)
    assert "one class" in found.note
    assert np.ptp(found.probability(matrix)) == 0


def test_the_penalty_is_chosen_on_validation():
    """With few rows and pure noise beside one signal, the strong penalty wins; with many rows a weak one does."""
    rng = np.random.default_rng(5)
    columns = tuple(Column(f"x{number}") for number in range(60))

    def made(rows):
        matrix = rng.normal(size=(rows, 60))
        return matrix, (rng.random(rows) < 1 / (1 + np.exp(1.5 - 0.8 * matrix[:, 0]))).astype(float)

    weak = baselines.choose_strength(made(20_000), made(5_000), columns)
    strong = baselines.choose_strength(made(120), made(5_000), columns)
    assert strong < weak
