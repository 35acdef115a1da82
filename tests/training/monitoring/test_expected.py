"""Expected performance from probabilities alone, against labels drawn from them."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation import metrics
from training.monitoring.expected import expected_performance, expected_roc_auc

THRESHOLD = 0.3
FIGURES = ("roc_auc", "brier", "precision", "recall")


def probabilities(rows=1500, seed=5):
    """Return risks as a churn head gives them: most are small, some are large."""
    return np.random.default_rng(seed).beta(0.7, 4.0, rows)


def accounts(rows):
    """Return one account a row."""
    return np.array([f"a{number}" for number in range(rows)], dtype=object)


def realised(label, p):
    """Return the figures once labels are known."""
    return {
        "roc_auc": metrics.roc_auc(label, p)[0],
        "brier": metrics.brier(label, p)[0],
        "precision": metrics.precision(label, p, THRESHOLD)[0],
        "recall": metrics.recall(label, p, THRESHOLD)[0],
    }


def expect(p, account_id=None):
    """Return what is expected of *p*."""
    account_id = accounts(len(p)) if account_id is None else account_id
    return expected_performance(p, account_id, threshold=THRESHOLD, samples=400, seed=3)


def test_expected_auc_is_the_sum_over_all_pairs():
    """Sorting gives what the double sum over pairs gives, ties counting half and no row paired with itself."""
    p = np.round(probabilities(60), 1)
    wins = pairs = 0.0
    for i in range(len(p)):
        for j in range(len(p)):
            if i != j:
                weight = p[i] * (1 - p[j])
                pairs += weight
                wins += weight * ((p[i] > p[j]) + 0.5 * (p[i] == p[j]))
    assert expected_roc_auc(p) == pytest.approx(wins / pairs, abs=1e-12)
    assert expected_roc_auc(np.full(9, 0.2)) == pytest.approx(0.5)
    assert np.isnan(expected_roc_auc(np.zeros(5)))
    assert np.isnan(expected_roc_auc(np.empty(0)))


def test_realised_figures_lie_within_the_intervals_as_often_as_they_should():
    """Of labels drawn from the probabilities, about 95 of 100 give a figure within its interval, centred on it."""
    p = probabilities()
    told = expect(p)
    rng = np.random.default_rng(17)
    worlds = [realised((rng.random(len(p)) < p).astype(float), p) for _ in range(200)]
    for figure in FIGURES:
        estimate = getattr(told, figure)
        values = np.array([world[figure] for world in worlds])
        assert np.mean((values >= estimate.low) & (values <= estimate.high)) > 0.88, figure
        assert np.mean((values >= estimate.low) & (values <= estimate.high)) < 0.995, figure
        assert values.mean() == pytest.approx(estimate.value, abs=0.01), figure
    assert told.events.low < p.sum() < told.events.high
    assert told.flagged.value == told.flagged.low == np.mean(p >= THRESHOLD)


def test_probabilities_that_are_not_calibrated_mislead():
    """Where only half as many leave as is said, realised precision and Brier score lie outside: the known limit."""
    p = probabilities()
    told = expect(p)
    label = (np.random.default_rng(1).random(len(p)) < p / 2).astype(float)
    found = realised(label, p)
    assert found["precision"] < told.precision.low
    assert not told.brier.low <= found["brier"] <= told.brier.high


def test_concept_drift_is_not_seen():
    """Labels that no longer follow the features leave the estimate where it was, far above what is realised."""
    p = probabilities()
    told = expect(p)
    label = (np.random.default_rng(1).random(len(p)) < np.random.default_rng(2).permutation(p)).astype(float)
    assert realised(label, p)["roc_auc"] < told.roc_auc.low


def test_accounts_that_are_harder_to_tell_apart_lower_the_expected_auc():
    """Probabilities drawn together towards their mean are surely expected to rank worse."""
    p = probabilities()
    assert expect(0.8 * p.mean() + 0.2 * p).roc_auc.high < expect(p).roc_auc.low


def test_rows_of_one_account_make_intervals_wider():
    """Ten rows an account are drawn together, so that they count less than ten accounts."""
    p = np.repeat(probabilities(150), 10)
    together = expect(p, np.repeat(accounts(150), 10)).roc_auc
    apart = expect(p).roc_auc
    assert together.value == apart.value
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_a_head_without_threshold_has_neither_precision_nor_recall():
    """What needs a threshold is undefined, and null in JSON; the rest is told, the same for the same seed."""
    p = probabilities(100)
    first, again = (
        expected_performance(p, accounts(100), threshold=None, samples=50, seed=seed) for seed in (1, 1)
    )
    told = first.as_dict()
    assert told == again.as_dict()
    undefined = {"value": None, "low": None, "high": None}
    assert told["precision"] == told["recall"] == told["flagged"] == undefined
    assert told["roc_auc"] != undefined


def test_no_rows_and_wrong_probabilities():
    """Without rows everything is undefined; a probability beyond 0 and 1 is refused."""
    assert np.isnan(expect(np.empty(0)).brier.value)
    with pytest.raises(ValueError, match="within 0 and 1"):
        expect(np.array([0.2, 1.2]))
    with pytest.raises(ValueError, match="within 0 and 1"):
        expect(np.array([0.2, np.nan]))
