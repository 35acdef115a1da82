"""What the card says of targets, threshold rules and segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.card.judged import judged_tables, remarks
from training.card.uplift_sections import uplift_blocks
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.decisions import Decisions, Rules, judge_decisions
from training.evaluation.segment_thresholds import SegmentRows
from training.threshold_definitions import ThresholdPolicy


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Return what is judged of 3,000 rows in two segments, of which the second has few events."""
    rng = np.random.default_rng(5)
    probability = rng.beta(1, 30, 3000)
    label = (rng.random(3000) < probability).astype(float)
    account = np.array([f"a{number % 1000}" for number in range(3000)], dtype=object)
    code = (np.arange(3000) % 20 == 0).astype(np.intp)
    segments = SegmentRows("segment", ("smb", "mid"), code)
    policy = ThresholdPolicy()
    rules = Rules.choose(label, probability, policy, stakes=None, segments=segments, account_id=account)
    bootstrap = AccountBootstrap(account, samples=60, seed=1)
    return judge_decisions(
        bootstrap, label, probability, Decisions(rules, np.full(3000, 50.0), None, segments)
    )


def table(found: dict[str, Any], caption: str, ceiling: dict[str, Any] | None = None) -> Any:
    """Return the table whose caption begins so."""
    return next(one for one in judged_tables(found, ceiling or {}) if one.caption.startswith(caption))


def test_a_target_that_flagging_nobody_meets_is_told_to_be_one(found: dict[str, Any]) -> None:
    """The verdict is a sentence, beside what flagging nobody and everybody come to."""
    rows = {
        row[0]: dict(zip(table(found, "Targets").header, row, strict=True))
        for row in table(found, "Targets").rows
    }
    money = rows["MRR classified correctly"]
    assert money["verdict"] == "met, but so does flagging nobody and by more (0.968)"
    assert float(money["flagging nobody"]) > 0.9
    assert rows["recall"]["flagging everybody"] == "1"
    assert rows["precision"]["flagging nobody"] == "-"
    assert any("flagging nobody reaches" in said for said in remarks(found, {}))


def test_the_ceiling_stands_beside_ours_on_the_same_rows(found: dict[str, Any]) -> None:
    """Where a truth is known, its figures are shown with ours of the month ends that it is known at."""
    figures = {name: entry["figures"] for name, entry in found["policies"].items()}["precision_first"]
    truth = {**figures, "precision": {"value": 0.77, "low": 0.7, "high": 0.8}}
    ceiling = {
        "policies": {"precision_first": {"truth": {"figures": truth}, "keepgrow": {"figures": figures}}}
    }
    made = table(found, "Targets", ceiling)
    assert made.header[-2:] == ("ours at month ends", "by the truth at month ends, same rule")
    assert next(row for row in made.rows if row[0] == "precision")[-1] == "0.77 (0.7 to 0.8)"


def test_rules_stand_beside_flagging_nobody_and_everybody(found: dict[str, Any]) -> None:
    """Two rows more than rules."""
    rows = table(found, "Threshold rules").rows
    assert [row[0] for row in rows[-2:]] == ["flagging nobody", "flagging everybody"]
    assert rows[0][0] == "precision first (shipped); target out of reach: the best short list"


def test_what_a_rule_did_without_its_target_is_told_of_older_bundles_too(found: dict[str, Any]) -> None:
    """Bundles of earlier releases fell back to the largest F1; a rule that had its target needs no such words."""
    older = {**found["policies"]["precision_first"], "rule": "max_f1"}
    reached = {**found["policies"]["f1"], "shipped": False}
    rows = table({"policies": {"precision_first": older, "f1": reached}}, "Threshold rules").rows
    assert [row[0] for row in rows] == [
        "precision first (shipped); target out of reach: largest F1",
        "f1",
    ]


def test_segments_show_the_shipped_threshold_and_their_own(found: dict[str, Any]) -> None:
    """Both with intervals; a segment with few events has none of its own, is marked, and still has figures."""
    made = table(found, "By segment")
    rows = [dict(zip(made.header, row, strict=True)) for row in made.rows]
    assert [row["segment"] for row in rows] == ["smb", "smb", "mid", "all"]
    assert rows[0]["threshold"].endswith("(shipped)")
    assert rows[1]["threshold"].endswith("(its own)")
    assert rows[2]["events / rows"].endswith("(few)")
    assert all(" to " in row["recall"] for row in rows)


def test_shares_by_what_an_action_does_say_what_their_intervals_leave_out() -> None:
    """The caveat stands right after the table."""
    figure = {"value": 0.1, "low": 0.0, "high": 0.2}
    points = {"mean": 0.1, "sd": 0.1, "scale": "absolute"}
    held = {
        "draws": 100,
        "ranking": {},
        "quadrants": {"persuadable": figure, "sure_thing": figure},
        "calibration": {"bins": []},
    }
    shipped = {
        "draws": 100,
        "prior": points,
        "measured": points,
        "average": points,
        "weight_of_draws": 0.5,
        "learner": "none",
    }
    blocks = uplift_blocks(
        {
            "outcome_days": 90,
            "draws": 100,
            "accounts": 50,
            "outcomes": {"retained": {"actions": {"call": {"shipped": shipped, "held_out": held}}}},
        }
    )
    place = next(
        number
        for number, block in enumerate(blocks)
        if block.table is not None and block.table.caption.startswith("Shares of accounts")
    )
    assert "they do not hold the error of the estimated chance" in blocks[place + 1].text


def test_an_outcome_with_too_few_draws_says_so_on_the_card():
    """Beside outcomes that were learnt, one that was not stands with its sentence."""
    found = {
        "outcome_days": 90, "draws": 100, "accounts": 50, "outcomes": {},
        "left_out_outcomes": {"returned": "Of 40 draws too few have a known outcome."},
    }  # fmt: skip
    last = uplift_blocks(found)[-1]
    assert (last.heading, last.text) == ("Returned", "Left out. Of 40 draws too few have a known outcome.")
