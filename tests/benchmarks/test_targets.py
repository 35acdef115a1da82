"""What threshold rules come to against the targets, as the benchmarks tell it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.plan import QUICK
from benchmarks.result import Result, markdown, read, targets_table, write
from benchmarks.tables import Table
from benchmarks.targets import cross_validated_targets, over_folds, target_lines
from tests.benchmarks.test_models import made_frame
from tests.benchmarks.test_page import RESULT
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.decisions import Decisions, Rules, judge_decisions
from training.threshold_definitions import ThresholdPolicy


@pytest.fixture(scope="module")
def judged():
    """What a training says of the rules, on rows of which few are events."""
    rng = np.random.default_rng(3)
    probability = rng.beta(1, 30, 3000)
    label = (rng.random(3000) < probability).astype(float)
    account = np.array([f"a{number % 1000}" for number in range(3000)], dtype=object)
    rules = Rules.choose(
        label, probability, ThresholdPolicy(), stakes=None, segments=None, account_id=account
    )
    bootstrap = AccountBootstrap(account, samples=60, seed=1)
    return judge_decisions(bootstrap, label, probability, Decisions(rules, np.full(3000, 50.0), None, None))


def test_every_rule_stands_beside_flagging_nobody_and_everybody(judged):
    """Four rules and the two that need no model, each with intervals; a target that nobody meets too is told so."""
    lines = target_lines("churn 30 days", judged)
    assert [line.rule for line in lines[-2:]] == ["flagging nobody", "flagging everybody"]
    assert len(lines) == 6
    money = [line.figures["revenue_protection_accuracy"] for line in lines]
    assert all(figure.low <= figure.value <= figure.high for figure in money)
    assert "so does flagging nobody" in lines[0].verdicts["revenue_protection_accuracy"]
    assert lines[0].note
    assert lines[-1].verdicts == {}


def test_what_a_rule_did_in_folds_without_its_target_is_told():
    """Folds are counted by what came of the rule; what came of none is left out."""
    assert over_folds("precision_first", {"precision_first": 1, "best_precision": 3, "none": 1}) == (
        "what it asks for could be had in 1 of 5 folds; in 3 the best short list was taken; in 1 nobody was flagged"
    )
    assert over_folds("value", {"none": 5}) == (
        "what it asks for could be had in 0 of 5 folds; in 5 nobody was flagged"
    )


def test_the_table_of_targets_follows_that_of_models(judged, tmp_path):
    """A result with rules survives writing and reading, and shows them below its models; one without shows none."""
    result = RESULT.model_copy(update={"targets": tuple(target_lines("churn 30 days", judged))})
    write(result, tmp_path)
    assert read(tmp_path / "made.json") == result
    text = markdown(result)
    assert text.index("ROC AUC") < text.index("## Threshold rules against the targets") < text.index("Run on")
    table = targets_table(result).splitlines()
    assert len(table) == 8
    assert table[2].startswith("| churn 30 days | precision first (default) |")
    assert "MRR classified correctly: met, but so does flagging nobody" in table[2]
    assert "Threshold rules" not in markdown(RESULT)
    assert Result.model_validate(RESULT.model_dump(exclude={"targets"})) == RESULT


def test_customers_without_time_are_flagged_by_heads_that_did_not_see_them():
    """Out of fold the signal is found but not perfectly; money is judged where there is some, else not."""
    frame, label = made_frame(600, 0)
    table = Table.of(frame, label, frozenset({"plan"}))
    lines = {line.rule: line for line in cross_validated_targets(table, QUICK, mrr=np.full(600, 900.0))}
    largest = lines["largest F1"].figures
    assert 0.5 < largest["f1"].value < 0.95
    assert largest["f1"].value > lines["flagging everybody"].figures["f1"].high
    assert lines["recall first"].figures["recall"].value > largest["recall"].value - 0.05
    assert lines["value"].figures["value_per_account"].value > 0
    careful = lines["precision first (default)"]
    assert careful.figures["precision"].value > largest["precision"].value
    assert "what it asks for could be had in" in careful.note
    poor = cross_validated_targets(table, QUICK)
    assert "value" not in {line.rule for line in poor}
    assert "revenue_protection_accuracy" not in poor[0].figures
