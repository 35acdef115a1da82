"""Outcomes are found by their decision, whatever else is known of the account, in old ledgers too."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from serving.ledger.database import Database
from serving.ledger.decisions import DECISION
from serving.ledger.entry import Entry
from serving.ledger.erasure import forget, prune
from serving.ledger.outcomes import OUTCOME, Outcome, outcomes_of, record_outcome
from serving.ledger.schema import MIGRATIONS, migrate, version_of
from serving.ledger.tables import DECISION_OUTCOMES
from serving.ledger.transaction import Transaction
from serving.ledger.verify import verify
from tests.serving.ledger.conftest import NOW

if TYPE_CHECKING:
    from serving.ledger.ledger import Ledger

ANSWER = {"action": {"key": "guide"}, "alternatives": [], "reservation": None}


def decided(name: str, account_id: str = "acme-0042") -> Entry:
    """Return a decision on record that proposes the guide."""
    return Entry(DECISION, name, account_id, NOW, {"answer": ANSWER, "frame": {}})


def told(transaction: Transaction, decision_id: str, name: str) -> None:
    """Record that the guide was clicked."""
    outcome = Outcome(decision_id, "clicked", outcome_id=name)
    record_outcome(transaction, outcome, now=NOW, rejection_days=90)


def found(transaction: Transaction, decision_id: str, limit: int = 1000) -> list[str]:
    """Return the ids of a decision's outcomes."""
    return [one["outcome_id"] for one in outcomes_of(transaction, decision_id, limit)]


async def test_outcomes_of_a_decision_are_found_among_thousands(ledger: Ledger) -> None:
    """An account's later outcomes of other decisions hide nothing; of too many, the newest are given in order."""
    await ledger.append(decided("first"), decided("busy"), decided("silent"))

    def tell(transaction: Transaction) -> None:
        told(transaction, "first", "old")
        for number in range(1_100):
            told(transaction, "busy", f"busy-{number}")

    await ledger.transact(tell)
    assert await ledger.look(lambda one: found(one, "first")) == ["old"]
    assert await ledger.look(lambda one: found(one, "silent")) == []
    assert await ledger.look(lambda one: found(one, "busy", 2)) == ["busy-1098", "busy-1099"]


async def test_a_refused_outcome_leaves_no_trace_in_the_index(ledger: Ledger) -> None:
    """Outcome and index are written together or not at all, and an outcome sent twice is indexed once."""
    await ledger.append(decided("one"))

    def tell_and_fail(transaction: Transaction) -> None:
        told(transaction, "one", "lost")
        raise KeyError("after it")

    with pytest.raises(KeyError):
        await ledger.transact(tell_and_fail)
    for _ in range(2):
        await ledger.transact(lambda one: told(one, "one", "kept"))
    assert await ledger.look(lambda one: found(one, "one")) == ["kept"]


async def test_emptied_outcomes_are_left_out(ledger: Ledger) -> None:
    """An account that was forgotten, and an outcome that is too old, are gone from the answer; the rest stays."""
    await ledger.append(decided("theirs", "other"), decided("ours"))
    early = dataclasses.replace(Outcome("ours", "clicked", outcome_id="early"), at=NOW.replace(year=2020))

    def tell(transaction: Transaction) -> None:
        told(transaction, "theirs", "a")
        told(transaction, "ours", "b")
        record_outcome(transaction, early, now=NOW, rejection_days=90)

    await ledger.transact(tell)
    assert await ledger.look(lambda one: found(one, "ours")) == ["b", "early"]
    assert prune(ledger.database, before=NOW.replace(year=2021), now=NOW) == 1
    assert forget(ledger.database, "other", now=NOW, reason="wish") == 2
    assert await ledger.look(lambda one: found(one, "theirs")) == []
    assert await ledger.look(lambda one: found(one, "ours")) == ["b"]
    assert verify(ledger.database).broken is None


def test_an_old_ledger_s_outcomes_are_found_after_the_step(ledger_url: str) -> None:
    """The step that makes the index fills it from what is on record, and passes over what was emptied."""
    database = Database(ledger_url)
    database.make_folder()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    with database.writing() as connection:
        transaction = Transaction(connection)
        for account_id in ("acme", "gone"):
            for number in range(1_200 if account_id == "acme" else 2):
                name, decision = f"{account_id}-{number}", f"dec-{account_id}-{number % 7}"
                content = {"sent": {}, "outcome": {"outcome_id": name, "decision_id": decision}}
                transaction.add(Entry(OUTCOME, name, account_id, NOW, content))
    forget(database, "gone", now=NOW, reason="wish")
    assert migrate(database)
    with database.reading() as connection:
        assert version_of(connection) >= "0003"
        assert connection.execute(sa.select(sa.func.count()).select_from(DECISION_OUTCOMES)).scalar() == 1_200
        transaction = Transaction(connection)
        assert found(transaction, "dec-acme-3") == [f"acme-{number}" for number in range(3, 1_200, 7)]
        assert found(transaction, "dec-gone-0") == []
    database.close()
