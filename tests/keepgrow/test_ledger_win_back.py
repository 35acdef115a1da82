"""Win-back in the ledger: decisions replay, and what came of accounts that had left teaches coming back alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from keepgrow.__main__ import build_app
from keepgrow.ledger_arms import HELD_OUT, compare_arms
from serving.decisions.arms import Arms
from serving.decisions.holdouts import Holdouts
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.ledger.database import Database
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.documents import documents_of, put_documents
from serving.ledger.outcomes import Outcome, record_outcome
from serving.ledger.replay import replay
from serving.ledger.schema import migrate
from serving.ledger.transaction import Transaction
from tests.serving.decisions.frames import NOON_UTC, action, catalogue, frame, leaver
from tests.serving.ledger.test_replay import CONTRACT, FIELDS
from training.heads.uplift.shrinkage import Prior
from training.outlook_effects import learn_effects
from training.treatments import read_treatments

if TYPE_CHECKING:
    from pathlib import Path

    from serving.decisions.decision import Decision

DAY = dt.timedelta(days=1)
HALF = Policy(load_policy().model_copy(update={"holdouts": Holdouts(share=0.5), "arms": Arms()}), FIELDS)
BACK = {"audience": "left", "priors": {"win_back": {"mean": 0.1, "sd": 0.05}}}
CATALOGUE = catalogue(
    action("guide"),
    action("call", type="schedule_success_call", channel="phone", surfaces=["account_card"], **BACK),
)
ACCOUNTS = 1_200
"""Half of them had left."""
EFFECT = 0.3
LEFT_AT = NOON_UTC - 90 * DAY


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Decision]]:
    """Return a folder with a ledger in which 1 of 10 leavers comes back, and 4 of 10 with the call; the rest stay."""
    folder = tmp_path_factory.mktemp("win-back")
    database = Database(f"sqlite:///{folder / 'ledger.db'}")
    migrate(database)
    decisions: dict[str, Decision] = {}
    chance = np.random.default_rng(4)
    with database.writing() as connection:
        put_documents(connection, documents_of(HALF.document, CATALOGUE, CONTRACT.model_dump(mode="json")))
        transaction = Transaction(connection)
        for number in range(ACCOUNTS):
            named = {"account_id": f"acme-{number:04d}", "feature_contract": CONTRACT.hash}
            one = leaver(**named) if number % 2 else frame(**named)
            decision = decisions[one.account_id] = decide(one, CATALOGUE, HALF)
            transaction.add(decision_entry(one, decision.decision_id, answer_json(decision)))
            if number % 2 and chance.random() < 0.1 + EFFECT * (decision.winner is not None):
                back = Outcome(decision.decision_id, "reactivated", at=NOON_UTC + 5 * DAY)
                record_outcome(transaction, back, now=NOON_UTC + 9 * DAY, rejection_days=90)
    database.close()
    return folder, decisions


@pytest.fixture(scope="module")
def data(ledger: tuple[Path, dict[str, Decision]]) -> Path:
    """Return a data folder with the ledger's treatments and the subscriptions of its accounts."""
    folder, decisions = ledger
    words = [
        "ledger",
        "treatments",
        str(folder / "treatments.parquet"),
        "--ledger",
        f"sqlite:///{folder / 'ledger.db'}",
    ]
    assert (
        CliRunner()
        .invoke(build_app("ledger"), [*words, "--silence-is-known", "--now", "2026-12-01"])
        .exit_code
        == 0
    )
    ended = [LEFT_AT if number % 2 else None for number in range(ACCOUNTS)]
    utc = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "subscription_id": [f"s{number}" for number in range(ACCOUNTS)],
            "account_id": list(decisions),
            "plan": ["team"] * ACCOUNTS,
            "seats": [20] * ACCOUNTS,
            "mrr": [400.0] * ACCOUNTS,
            "started_at": pa.array([NOON_UTC - 500 * DAY] * ACCOUNTS, utc),
            "ended_at": pa.array(ended, utc),
        }
    )
    pq.write_table(table, folder / "subscriptions.parquet")
    return folder


def test_a_decision_about_a_leaver_is_decided_again_byte_for_byte(
    ledger: tuple[Path, dict[str, Decision]],
) -> None:
    """From the ledger alone the call comes out again, with what coming back is worth."""
    folder, decisions = ledger
    won = next(one for one in decisions.values() if one.winner is not None and one.winner.action.wins_back)
    with Database(f"sqlite:///{folder / 'ledger.db'}").reading() as connection:
        found = replay(Transaction(connection), won.decision_id)
    assert found.same
    assert b'"lift_return":0.1' in found.now


def test_who_had_left_is_retained_only_if_it_came_back(
    data: Path, ledger: tuple[Path, dict[str, Decision]]
) -> None:
    """Silence means that a subscriber stayed and that a leaver stayed away; `reactivated` is a return."""
    _, decisions = ledger
    rows = pq.read_table(data / "treatments.parquet").to_pandas()
    left = rows["account_id"].isin([name for at, name in enumerate(decisions) if at % 2])
    assert set(rows.loc[left, "action"]) == {"schedule_success_call"}
    assert set(rows.loc[~left, "action"]) == {"send_enablement_guide"}
    assert rows.loc[~left, "outcome_retained"].all()
    came = rows.loc[left].groupby("arm")["outcome_retained"].mean()
    assert came["held_out"] == pytest.approx(0.1, abs=0.05)
    assert came["treated"] == pytest.approx(0.4, abs=0.08)


def test_the_effect_on_coming_back_is_learnt_and_leaks_into_nothing_else(data: Path) -> None:
    """Draws of leavers teach `returned` alone: its interval covers the truth, and `retained` never sees the call."""
    found = read_treatments(data, known_by=dt.date(2026, 12, 1))
    assert found is not None
    draws, _ = found
    returned, rows = draws.about("returned")
    retained, others = draws.about("retained")
    assert returned.actions == ("schedule_success_call",)
    assert retained.actions == ("send_enablement_guide",)
    assert not set(rows.tolist()) & set(others.tolist())
    assert len(rows) + len(others) == len(draws)
    matrix = np.random.default_rng(1).normal(size=(len(returned), 3))
    heads, report = learn_effects(
        returned, matrix, np.full(len(returned), np.nan), outcomes=["returned"],
        priors={("schedule_success_call", "returned"): Prior(0.1, 0.05, "absolute")},
        samples=20, seed=3, progress=lambda _: None,
    )  # fmt: skip
    (head,) = heads
    shipped = report["outcomes"]["returned"]["actions"]["schedule_success_call"]["shipped"]
    measured = shipped["measured"]
    assert abs(measured["mean"] - EFFECT) < 2.6 * measured["standard_error"]
    assert measured["mean"] > 2 * measured["standard_error"]
    assert 0.1 < head.average < EFFECT + 0.1


def test_arms_count_a_leaver_as_gone_until_it_is_back(ledger: tuple[Path, dict[str, Decision]]) -> None:
    """Without actions half of all stay and a tenth of the others come back; the policy brings back more."""
    folder, _ = ledger
    database = Database(f"sqlite:///{folder / 'ledger.db'}")
    found = {one.figures.arm: one for one in compare_arms(database, window_days=90, now=NOON_UTC + 91 * DAY)}
    held = found[HELD_OUT].figures
    assert 1 - sum(held.left) / held.accounts == pytest.approx(0.55, abs=0.06)
    full = found["full"].retained
    assert full is not None
    assert full.low > 0
