"""`keepgrow ledger arms`: what the policy brought beside the holdout, from the ledger alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from keepgrow.__main__ import build_app
from keepgrow.ledger_arms import HELD_OUT, compare_arms, difference_of_means, difference_of_shares
from serving.decisions.arms import Arms
from serving.decisions.holdouts import Holdouts
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.ledger.database import Database
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.outcomes import Outcome, record_outcome
from serving.ledger.schema import migrate
from serving.ledger.transaction import Transaction
from tests.serving.decisions.frames import FIELDS, NOON_UTC, action, catalogue, frame

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.timedelta(days=1)
POLICY = Policy(
    load_policy().model_copy(
        update={"holdouts": Holdouts(salt="test", share=0.3), "arms": Arms(random_eligible=0.3)}
    ),
    FIELDS,
)
ACCOUNTS = 800
EFFECT = 0.3


def written(folder: Path) -> Database:
    """Return a ledger of accounts that leave with a probability of 0.5, and of 0.2 if they get the action."""
    database = Database(f"sqlite:///{folder / 'ledger.db'}")
    migrate(database)
    chance = np.random.default_rng(5)
    plans = catalogue(action("guide"))
    with database.writing() as connection:
        ledger = Transaction(connection)
        for number in range(ACCOUNTS):
            one = frame(account_id=f"acme-{number:04d}")
            decision = decide(one, plans, POLICY)
            ledger.add(decision_entry(one, decision.decision_id, answer_json(decision)))
            if chance.random() < 0.5 - EFFECT * (decision.winner is not None):
                lost = Outcome(decision.decision_id, "lost", at=NOON_UTC + 5 * DAY)
                record_outcome(ledger, lost, now=NOON_UTC + 9 * DAY, rejection_days=90)
    return database


def test_the_effect_of_a_policy_is_found_beside_the_holdout(tmp_path: Path) -> None:
    """The full policy keeps three in ten more, and a lot between action and nothing half of that."""
    found = {
        one.figures.arm: one
        for one in compare_arms(written(tmp_path), window_days=90, now=NOON_UTC + 91 * DAY)
    }
    assert set(found) == {HELD_OUT, "full", "random_eligible"}
    assert sum(one.figures.accounts for one in found.values()) == ACCOUNTS
    assert found[HELD_OUT].figures.with_action == 0
    assert found[HELD_OUT].retained is None
    full, lots = found["full"].retained, found["random_eligible"].retained
    assert full is not None
    assert lots is not None
    assert full.low < EFFECT < full.high
    assert full.low > 0
    assert lots.low < EFFECT / 2 < lots.high


def test_windows_that_are_open_do_not_count(tmp_path: Path) -> None:
    """Early leavers would make every arm look bad; the command says that there is nothing to compare yet."""
    database = written(tmp_path)
    assert compare_arms(database, window_days=90, now=NOON_UTC + 89 * DAY) == []
    words = ["ledger", "arms", "--ledger", f"sqlite:///{tmp_path / 'ledger.db'}", "--now"]
    early = CliRunner().invoke(build_app("ledger"), [*words, "2026-03-05"])
    assert "No account's first decision is 90 days old yet" in early.output
    late = CliRunner().invoke(build_app("ledger"), [*words, "2026-07-01"], env={"COLUMNS": "200"})
    assert late.exit_code == 0, late.output
    assert "held out" in late.output
    assert "points" in late.output


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of a thousand experiments with known truth, 95 % within three standard errors of that."""
    chance = np.random.default_rng(7)
    held = {"shares": 0, "means": 0}
    for _ in range(1_000):
        shares = difference_of_shares((chance.random(80) < 0.9).tolist(), (chance.random(120) < 0.7).tolist())
        held["shares"] += shares.low <= 0.2 <= shares.high
        means = difference_of_means(chance.normal(5, 3, 60).tolist(), chance.normal(4, 1, 90).tolist())
        held["means"] += means.low <= 1.0 <= means.high
    for name, count in held.items():
        assert abs(count / 1_000 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 1_000), name


def test_one_account_is_no_evidence() -> None:
    """The interval of a difference from a single value is all numbers."""
    estimate = difference_of_means([3.0], [1.0, 2.0])
    assert estimate.value == pytest.approx(1.5)
    assert estimate.low == -np.inf
