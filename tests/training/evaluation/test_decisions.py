"""Threshold rules: each does what its name says, money is counted right, segments fall back when they must."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.evaluation.decisions import Decisions, Rules, judge_decisions
from training.evaluation.flagging import against_targets, flagging
from training.evaluation.segment_thresholds import SegmentRows
from training.evaluation.thresholds import Stakes, choose_threshold
from training.threshold_definitions import MODES, InterventionValue, Targets, ThresholdPolicy

POLICY = ThresholdPolicy(min_alerts=5, min_segment_events=40)
VALUE = InterventionValue(cost=100, success_ratio=0.5, mrr_ratio=1.0, months=10)


@pytest.fixture(scope="module")
def rows():
    """Return labels, true probabilities, MRR and segment codes of 3,000 rows; segment 2 is tiny, 3 rows unknown."""
    rng = np.random.default_rng(8)
    probability = 1 / (1 + np.exp(-rng.normal(-1.5, 1.2, 3000)))
    label = (rng.random(3000) < probability).astype(float)
    segment = rng.choice([0, 1, 2], p=[0.6, 0.38, 0.02], size=3000)
    segment[:3] = -1
    return label, probability, rng.lognormal(4, 1, 3000), segment


def test_recall_first_is_the_strictest_threshold_that_surely_finds_enough(rows):
    """Recall on validation is above the target, and far fewer rows are flagged than all."""
    label, probability, *_ = rows
    found = choose_threshold(label, probability, POLICY, mode="recall_first")
    assert found.rule == "recall_first"
    flagged = probability >= found.value
    assert 0.80 <= label[flagged].sum() / label.sum() < 0.86
    assert flagged.mean() < 0.8


def test_recall_with_few_events_is_not_promised():
    """Five events can't show 80 % recall with 90 % confidence: all five are to be found, and that is said."""
    label = np.zeros(50)
    label[[0, 3, 4, 9, 17]] = 1.0
    probability = np.linspace(0.9, 0.1, 50)
    found = choose_threshold(label, probability, POLICY, mode="recall_first")
    assert found.rule == "best_recall"
    assert found.value == probability[17]
    assert "5 accounts" in found.sentence
    assert "at least 63%; it flags 36% of the rows" in found.sentence  # 0.1 ** (1 / 5), 18 of 50


def test_f1_is_the_largest_that_any_threshold_has(rows):
    """No other threshold on validation has a larger F1."""
    label, probability, *_ = rows
    found = choose_threshold(label, probability, POLICY, mode="f1")
    best = f1_score(label, probability >= found.value)
    others = [
        f1_score(label, probability >= value)
        for value in np.quantile(probability, np.linspace(0.02, 0.99, 60))
    ]
    assert found.rule == "f1"
    assert best >= max(others) - 1e-12


def test_value_weighs_cost_against_margin_saved(rows):
    """The threshold earns at least as much as any other; dear interventions flag fewer rows, hopeless ones nobody."""
    label, probability, mrr, _ = rows
    stakes = Stakes.of(mrr, VALUE, 0.8)
    assert stakes.benefit == pytest.approx(0.8 * 0.5 * 10 * mrr)
    found = choose_threshold(label, probability, POLICY, mode="value", stakes=stakes)
    earned = {
        value: stakes.gained(label)[probability >= value].sum() for value in (found.value, 0.1, 0.3, 0.5, 0.7)
    }
    assert found.rule == "value"
    assert earned[found.value] == max(earned.values())
    dear = choose_threshold(
        label, probability, POLICY, mode="value", stakes=Stakes(stakes.benefit, 3 * stakes.cost)
    )
    assert dear.value > found.value
    hopeless = choose_threshold(label, probability, POLICY, mode="value", stakes=Stakes(stakes.benefit, 1e6))
    assert (hopeless.value, hopeless.rule) == (1.0, "none")
    blind, careful = (
        choose_threshold(label, probability, POLICY, mode=mode) for mode in ("value", "precision_first")
    )
    assert (blind.value, blind.rule) == (careful.value, careful.rule)
    assert blind.sentence.startswith("the data has no MRR")


def test_flagging_counts_rows_and_money():
    """Figures of four accounts are those that one works out by hand; part of the rows can be asked for."""
    label, flagged = np.array([1.0, 1, 0, 0]), np.array([True, False, True, False])
    mrr = np.array([10.0, 20, 30, 40])
    bootstrap = AccountBootstrap(np.array(list("abcd"), dtype=object), samples=50, seed=1)
    found = flagging(bootstrap, label, flagged, mrr=mrr, stakes=Stakes(np.full(4, 8.0), 3.0))
    told = {name: figure.value for name, figure in found.items()}
    assert told == {
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "flagged_ratio": 0.5,
        "revenue_protection_accuracy": 0.5,
        "revenue_protection_accuracy_flagging_nobody": 0.7,
        "revenue_protection_accuracy_gain": pytest.approx(-0.2),
        "revenue_recall": pytest.approx(1 / 3),
        "value_per_account": 0.5,
    }
    part = flagging(bootstrap, label, flagged, among=np.array([True, True, False, False]))
    assert part["precision"].value == 1.0


def test_three_hits_of_three_are_no_certainty():
    """A precision of one, or a recall of none, of few accounts has the interval that so few allow."""
    label, flagged = np.array([1.0, 1, 1, 0, 0, 1]), np.array([True, True, True, False, False, False])
    account = np.array(list("abcdef"), dtype=object)
    found = flagging(AccountBootstrap(account, samples=50, seed=1), label, flagged)
    assert found["precision"] == Estimate(1.0, pytest.approx(0.025 ** (1 / 3)), 1.0)
    one = np.array(["a"] * 6, dtype=object)
    found = flagging(AccountBootstrap(one, samples=50, seed=1), label, flagged)
    assert found["precision"].low == pytest.approx(0.025)
    missed = flagging(AccountBootstrap(account, samples=50, seed=1), 1 - label, flagged)
    assert missed["recall"].high == pytest.approx(1 - 0.025 ** (1 / 2))


def test_a_target_is_met_or_missed_only_beyond_noise():
    """The interval decides; what has no value is missed, what was not measured is left out."""
    found = against_targets(
        {
            "precision": Estimate(0.9, 0.86, 0.95),
            "recall": Estimate(0.9, 0.7, 0.95),
            "f1": Estimate(np.nan, np.nan, np.nan),
        },
        Targets(),
        nobody={name: Estimate(0.0, 0.0, 0.0) for name in ("precision", "recall", "f1")},
        everybody={name: Estimate(0.1, 0.1, 0.1) for name in ("precision", "recall", "f1")},
    )
    assert {name: entry["sentence"] for name, entry in found.items()} == {
        "precision": "met",
        "recall": "undecided",
        "f1": "missed",
    }
    assert {name: entry["verdict"] for name, entry in found.items()} == {
        "precision": "met",
        "recall": "undecided",
        "f1": "missed",
    }


def test_a_target_that_flagging_nobody_meets_is_said_to_prove_nothing():
    """With one event in forty rows, a poor model has 92 % of the MRR right and flagging nobody 97 %: both are told."""
    label, flagged = np.zeros(4000), np.zeros(4000, dtype=bool)
    label[::40], flagged[1::20] = 1.0, True
    account = np.array([f"a{number}" for number in range(4000)], dtype=object)
    bootstrap = AccountBootstrap(account, samples=200, seed=1)
    made = {
        kind: flagging(bootstrap, label, flags, mrr=np.ones(4000))
        for kind, flags in (
            ("ours", flagged),
            ("nobody", np.zeros(4000, dtype=bool)),
            ("everybody", np.ones(4000, dtype=bool)),
        )
    }
    idle = {"nobody": made["nobody"], "everybody": made["everybody"]}
    found = against_targets(made["ours"], Targets(), **idle)
    money = found["revenue_protection_accuracy"]
    assert money["verdict"] == "met"
    assert money["sentence"] == "met, but so does flagging nobody and by more (0.975)"
    assert (money["flagging_nobody"], money["flagging_everybody"]) == (0.975, 0.025)
    assert found["recall"]["sentence"] == "missed"
    assert found["precision"]["flagging_nobody"] is None
    assert found["precision"]["sentence"] == "missed"
    poor = against_targets(made["everybody"], Targets(), **idle)["revenue_protection_accuracy"]
    assert poor["sentence"] == "missed, though flagging nobody reaches 0.975"
    everybody = against_targets(made["everybody"], Targets(), **idle)
    assert everybody["recall"]["sentence"] == "met, but so does flagging everybody (1.000)"


def test_every_rule_is_judged_and_small_segments_take_the_overall_threshold(rows):
    """All four rules have figures; the shipped one is marked; a segment with few events says `overall`."""
    label, probability, mrr, code = rows
    segments = SegmentRows("segment", ("smb", "mid", "tiny"), code)
    stakes = Stakes.of(mrr, VALUE, 0.8)
    rules = Rules.choose(label, probability, POLICY, stakes=stakes, segments=segments)
    account = np.array([f"a{number % 900}" for number in range(3000)], dtype=object)
    found = judge_decisions(
        AccountBootstrap(account, samples=60, seed=1),
        label,
        probability,
        Decisions(rules, mrr, stakes, segments),
    )
    assert list(found["policies"]) == list(MODES)
    assert [mode for mode, entry in found["policies"].items() if entry["shipped"]] == ["precision_first"]
    assert set(found["targets"]) == {"precision", "recall", "f1", "revenue_protection_accuracy"}
    parts = found["segments"]["segments"]
    assert {name: entry["source"] for name, entry in parts.items()} == {
        "smb": "own",
        "mid": "own",
        "tiny": "overall",
    }
    assert parts["tiny"]["threshold"] == rules.shipped.value
    assert parts["tiny"]["few_events"]
    assert parts["tiny"]["overall"]["precision"]["low"] < parts["tiny"]["overall"]["precision"]["high"]
    assert "calibration_ratio" not in parts["tiny"]
    for name in ("precision", "recall", "revenue_protection_accuracy_gain"):
        assert parts["smb"]["overall"][name]["low"] < parts["smb"]["overall"][name]["high"]
    assert parts["smb"]["accounts"] <= 900
    assert found["targets"] == found["policies"]["precision_first"]["targets"]
    assert found["idle"]["everybody"]["recall"]["value"] == 1.0
    here = code == 0
    flagged = probability >= parts["smb"]["threshold"]
    assert parts["smb"]["own"]["precision"]["value"] == pytest.approx(label[here & flagged].mean(), abs=1e-6)
    ratio = parts["smb"]["calibration_ratio"]
    assert ratio["low"] < 1 < ratio["high"]
