"""Thresholds: precision first, and what is said when it can't be had."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from training.definitions import ThresholdPolicy
from training.evaluation.candidates import clopper_pearson_low
from training.evaluation.thresholds import choose_threshold

POLICY = ThresholdPolicy(target_precision=0.8, confidence=0.9, min_alerts=5)


def test_the_lower_bound_equals_scipys_exact_interval():
    """One-sided Clopper-Pearson at 90 % is the lower end of the two-sided 80 % interval."""
    found = clopper_pearson_low(np.array([9.0, 50.0, 0.0]), np.array([10.0, 80.0, 7.0]), 0.9)
    exact = [
        binomtest(hits, count).proportion_ci(0.8, "exact").low for hits, count in ((9, 10), (50, 80), (0, 7))
    ]
    assert found == pytest.approx(exact)


def test_the_smallest_threshold_that_surely_reaches_the_target_is_chosen():
    """Forty sure events, then noise: the threshold takes the forty and stops before the noise."""
    label = np.concatenate([np.ones(40), np.tile([1.0, 0, 0, 0], 100)])
    probability = np.concatenate([np.linspace(0.9, 0.7, 40), np.linspace(0.5, 0.01, 400)])
    found = choose_threshold(label, probability, POLICY)
    assert found.rule == "precision_first"
    flagged = probability >= found.value
    assert flagged.sum() >= 40
    assert label[flagged].mean() > 0.8
    assert "target 80%" in found.sentence


def test_equal_probabilities_are_flagged_together():
    """A threshold never cuts through ties: twenty events are flagged with the five others that are told alike."""
    label = np.array([1.0] * 20 + [0.0] * 80)
    probability = np.concatenate([np.full(25, 0.4), np.linspace(0.3, 0.1, 75)])
    found = choose_threshold(label, probability, POLICY)
    assert found.value == 0.4
    assert found.rule == "best_precision"


def test_rows_of_one_account_count_once():
    """Forty sure events are evidence if forty accounts had them, and none if four accounts had ten each."""
    label = np.concatenate([np.ones(40), np.tile([1.0, 0, 0, 0], 100)])
    probability = np.concatenate([np.linspace(0.9, 0.7, 40), np.linspace(0.5, 0.01, 400)])
    many = np.array([f"a{number}" for number in range(440)], dtype=object)
    few = np.array([f"a{number % 4}" if number < 40 else f"b{number}" for number in range(440)], dtype=object)
    assert choose_threshold(label, probability, POLICY, account_id=many) == choose_threshold(
        label, probability, POLICY
    )
    assert "by 4" in choose_threshold(label, probability, POLICY, account_id=many).sentence
    assert choose_threshold(label, probability, POLICY, account_id=few).rule == "best_precision"


def test_recall_is_promised_by_accounts_too():
    """A hundred events of a hundred accounts show 80 % recall; a hundred of five accounts don't, and it is said."""
    label = np.array([1.0] * 100 + [0.0] * 300)
    probability = np.linspace(0.9, 0.1, 400)
    many = np.array([f"a{number}" for number in range(400)], dtype=object)
    few = np.array([f"a{number % 5}" for number in range(400)], dtype=object)
    found = choose_threshold(label, probability, POLICY, mode="recall_first", account_id=many)
    assert found.rule == "recall_first"
    found = choose_threshold(label, probability, POLICY, mode="recall_first", account_id=few)
    assert found.rule == "best_recall"
    assert "5 accounts" in found.sentence


def test_confidence_is_kept_where_accounts_stand_at_many_cutoffs():
    """Ten rows an account, all with one label: a promise by accounts is kept in 90 % of draws, one by rows isn't."""
    held, by_rows = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        event = np.repeat(rng.random(60) < 0.8, 10).astype(float)
        account = np.repeat([f"a{number}" for number in range(60)], 10).astype(object)
        probability = np.full(600, 0.5)
        held.append(
            choose_threshold(event, probability, POLICY, account_id=account).rule != "precision_first"
        )
        by_rows.append(choose_threshold(event, probability, POLICY).rule != "precision_first")
    assert np.mean(held) >= 0.9
    assert np.mean(by_rows) < 0.75


def test_without_an_event_nobody_is_flagged():
    """There is nothing to choose by, and it is said."""
    found = choose_threshold(np.zeros(20), np.linspace(0, 1, 20), POLICY)
    assert found.rule == "none"
    assert found.value == 1.0
