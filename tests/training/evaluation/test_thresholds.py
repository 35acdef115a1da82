"""Thresholds: precision first, and what is said when it can't be had."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from training.definitions import ThresholdPolicy
from training.evaluation.thresholds import choose_threshold, clopper_pearson_low

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


def test_an_unreachable_target_falls_back_to_the_largest_f1_and_says_so():
    """With events at 20 % at best, no threshold is precise; the F1 threshold is given and named as such."""
    rng = np.random.default_rng(0)
    probability = rng.random(2000) * 0.2
    label = (rng.random(2000) < probability).astype(float)
    found = choose_threshold(label, probability, POLICY)
    assert found.rule == "max_f1"
    assert "no threshold reaches 80%" in found.sentence
    scores = []
    for value in np.unique(probability)[::20]:
        flagged = probability >= value
        scores.append(2 * label[flagged].sum() / (flagged.sum() + label.sum()))
    chosen = probability >= found.value
    assert 2 * label[chosen].sum() / (chosen.sum() + label.sum()) >= max(scores) - 1e-12


def test_equal_probabilities_are_flagged_together():
    """A threshold never cuts through ties."""
    label = np.array([1.0, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    found = choose_threshold(label, np.full(10, 0.4), POLICY)
    assert found.value == 0.4


def test_without_an_event_nobody_is_flagged():
    """There is nothing to choose by, and it is said."""
    found = choose_threshold(np.zeros(20), np.linspace(0, 1, 20), POLICY)
    assert found.rule == "none"
    assert found.value == 1.0
