"""The trajectory head on planted classes."""

from __future__ import annotations

import numpy as np
import pytest

from training.definitions import load_definitions
from training.errors import TooLittleDataError
from training.evaluation.trajectory_report import trajectory_report
from training.heads.trajectory import (
    TrajectoryRows,
    refit_levels,
    softmax,
    train_trajectory,
    with_inputs,
)

NAMES = ["a", "b", "c"]


def _rows(seed: int, n: int = 1_500, strength: float = 1.5) -> tuple[TrajectoryRows, np.ndarray]:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, 3))
    truth = softmax(np.column_stack([strength * matrix[:, 0] - 1, np.zeros(n), strength * matrix[:, 1] - 1]))
    label = (rng.random((n, 1)) > np.cumsum(truth, axis=1)).sum(axis=1).clip(0, 2).astype(float)
    return TrajectoryRows(matrix, label), truth


def _trained(strength: float = 1.5):
    definitions = load_definitions()
    return train_trajectory(
        _rows(1, strength=strength)[0],
        _rows(2, strength=strength)[0],
        None,
        definitions=definitions,
        feature_names=NAMES,
        seed=3,
        num_threads=1,
    )


def test_planted_classes_are_told_with_calibrated_probabilities():
    """Probabilities sum to one, lie near the truth, and lose less than class shares on later rows."""
    head, choice = _trained()
    test, truth = _rows(4)
    found = head.probabilities(test.matrix)
    assert np.allclose(found.sum(axis=1), 1.0)
    assert np.abs(found - truth).mean() < 0.06
    assert np.abs(found.mean(axis=0) - truth.mean(axis=0)).max() < 0.04
    accounts = np.array([f"a{row}" for row in range(len(test.label))], dtype=object)
    shares = np.bincount(_rows(1)[0].label.astype(int), minlength=3) / 1_500
    report = trajectory_report(found, test.label, accounts, shares, samples=50, seed=0)
    assert report["log_loss_gain"]["low"] > 0
    assert report["classes"]["declining"]["roc_auc"]["low"] > 0.7
    assert choice["validation_log_loss"] < 1.05


def test_without_a_signal_everyone_gets_the_shares():
    """Where nothing tells classes apart, probabilities hardly differ between rows."""
    head, _ = _trained(strength=0.0)
    assert head.probabilities(_rows(4)[0].matrix).std(axis=0).max() < 0.06


def test_a_class_with_too_few_rows_is_refused():
    """The error says how many rows of each class there are."""
    rows, _ = _rows(1, n=300)
    few = TrajectoryRows(rows.matrix, np.where(rows.label == 2, 1.0, rows.label))
    with pytest.raises(TooLittleDataError, match="0 improving"):
        train_trajectory(
            few, few, None, definitions=load_definitions(), feature_names=NAMES, seed=1, num_threads=1
        )


def test_rows_without_a_class_are_left_out():
    """NaN labels do not reach training."""
    kept = TrajectoryRows.known(np.arange(6.0).reshape(3, 2), np.array([0.0, np.nan, 2.0]))
    assert kept.matrix[:, 0].tolist() == [0.0, 4.0]


def test_levels_follow_the_class_shares():
    """After refitting, mean probabilities are the shares of the rows, stable stays the reference, slopes stay."""
    rows, _ = _rows(1)
    inputs = np.column_stack([rows.matrix[:, :2], np.ones(len(rows.label))])
    before = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [2.0, 0.0, -3.0]])
    after = refit_levels(before, inputs, rows.label)
    shares = np.bincount(rows.label.astype(int), minlength=3) / len(rows.label)
    assert np.abs(softmax(inputs @ after).mean(axis=0) - shares).max() < 0.002
    assert np.array_equal(after[:2], before[:2])
    assert after[2, 1] == 0.0


def test_who_leaves_declines_on_top_of_who_stays():
    """Fitted to accounts that stay and joined with churn, everyone's probabilities are calibrated, health included."""
    rng = np.random.default_rng(9)

    def world(seed):
        rows, _ = _rows(seed)
        health = rng.normal(50, 20, (len(rows.label), 1))
        leaves = 1 / (1 + np.exp(2.0 - 0.05 * (60 - health[:, 0])))
        left = rng.random(len(rows.label)) < leaves
        return rows, health, leaves, left

    parts = []
    for seed in (1, 2):
        rows, health, _, left = world(seed)
        parts.append(
            TrajectoryRows.known(with_inputs(rows.matrix, health), np.where(left, np.nan, rows.label))
        )
    head, choice = train_trajectory(
        *parts,
        None,
        definitions=load_definitions(),
        feature_names=NAMES,
        seed=3,
        num_threads=1,
        inputs=("health_score",),
        churn_column=1,
    )
    assert head.inputs == ("health_score",)
    assert choice["inputs"] == ["health_score"]
    assert choice["of_accounts_that_stay"]
    rows, health, leaves, left = world(4)
    matrix = with_inputs(rows.matrix, health)
    found = head.probabilities(matrix, np.column_stack([np.zeros(len(leaves)), leaves]))
    assert np.allclose(found.sum(axis=1), 1.0)
    assert (found[:, 0] >= leaves).all()
    declined = np.where(left, 0.0, rows.label) == 0
    assert found[:, 0].mean() == pytest.approx(declined.mean(), abs=0.04)
    for ill in (health[:, 0] < 40, health[:, 0] > 60):
        assert found[ill, 0].mean() == pytest.approx(declined[ill].mean(), abs=0.07)
    with pytest.raises(ValueError, match="probabilities of churn"):
        head.probabilities(matrix)


def test_calibration_is_told_by_class():
    """Right probabilities have an error near zero and a curve that holds the diagonal; exaggerated ones are told."""
    rows, truth = _rows(6, n=3_000)
    accounts = np.array([f"a{row}" for row in range(3_000)], dtype=object)

    def classes(probability):
        report = trajectory_report(probability, rows.label, accounts, np.full(3, 1 / 3), samples=50, seed=0)
        return report["classes"]

    raised = truth**3 / (truth**3).sum(axis=1, keepdims=True)
    for name, right in classes(truth).items():
        wrong = classes(raised)[name]
        error, exaggerated = (one["expected_calibration_error_debiased"] for one in (right, wrong))
        assert error["low"] < 0.01
        assert error["value"] < 0.02
        assert exaggerated["low"] > 0.05
        assert sum(point["low"] <= point["predicted"] <= point["high"] for point in right["reliability"]) >= 4
        assert right["said"] == pytest.approx(right["seen"], abs=0.03)
