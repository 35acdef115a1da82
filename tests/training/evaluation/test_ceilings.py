"""Ceilings: what a ranking by the truth is expected to reach, and ours beside it."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.ceilings import TruthRows, ceiling, expected_ceiling
from training.evaluation.thresholds import Threshold
from training.threshold_definitions import ThresholdPolicy

POLICY = ThresholdPolicy(min_alerts=1)


def test_expected_figures_are_those_of_counting_by_hand():
    """Two accounts that leave in 9 of 10 cases and two in 1 of 10: precision 0.9, recall 1.8 of 2 events, F1 0.9."""
    found = expected_ceiling(np.array([0.9, 0.9, 0.1, 0.1]), POLICY)
    assert found["best_precision"] == pytest.approx(0.9)
    assert found["recall_at_target_precision"] == pytest.approx(0.9)
    assert found["best_f1"] == pytest.approx(0.9)
    assert found["brier"] == pytest.approx(0.09)
    assert expected_ceiling(np.full(4, 0.3), POLICY)["recall_at_target_precision"] is None


def test_the_truth_ranks_better_than_a_blurred_model_on_the_same_rows():
    """The gap in ROC AUC is surely above zero, and the realised AUC of the truth is near the expected one."""
    rng = np.random.default_rng(3)
    logit = rng.normal(-1.5, 1.2, 3000)
    truth = 1 / (1 + np.exp(-logit))
    rows = TruthRows(
        account_id=np.array([f"a{number}" for number in range(3000)], dtype=object),
        label=(rng.random(3000) < truth).astype(float),
        truth=truth,
        ours=1 / (1 + np.exp(-(logit + rng.normal(0, 1.5, 3000)))),
        mrr=None,
    )
    found = ceiling(
        rows,
        rows,
        policy=POLICY,
        thresholds={"f1": Threshold(0.3, "f1", "")},
        value=POLICY.churn,
        samples=60,
        seed=1,
    )
    assert found["roc_auc_gap"]["low"] > 0
    assert found["ranking"]["truth"]["roc_auc"]["value"] == pytest.approx(
        found["expected"]["roc_auc"], abs=0.03
    )
    assert set(found["policies"]["f1"]) == {"truth", "keepgrow"}
