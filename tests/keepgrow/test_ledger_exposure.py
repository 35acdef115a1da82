"""`keepgrow ledger exposure`: who gets actions, complains and has them undone, by groups of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from keepgrow.__main__ import build_app
from keepgrow.ledger_exposure import exposure
from serving.decisions.arms import Arms
from serving.decisions.holdouts import Holdouts
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.ledger.database import Database
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.entry import Entry
from serving.ledger.outcomes import Outcome, record_outcome
from serving.ledger.schema import migrate
from serving.ledger.transaction import Transaction
from tests.serving.decisions.frames import FIELDS, NOON_UTC, action, catalogue, frame

if TYPE_CHECKING:
    from pathlib import Path

POLICY = Policy(load_policy().model_copy(update={"holdouts": Holdouts(salt="test"), "arms": Arms()}), FIELDS)


def written(folder: Path) -> str:
    """Return a ledger of 60 accounts each of two segments: of one, half get nothing, and more complain."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    database = Database(url)
    migrate(database)
    plans = catalogue(action("guide"))
    with database.writing() as connection:
        ledger = Transaction(connection)
        for number in range(120):
            small = number % 2 == 0
            one = frame(
                account_id=f"acme-{number:04d}",
                features={
                    "segment": "small" if small else "large",
                    "open_tickets": 9 if small and number % 4 == 0 else 0,
                },
            )
            decision = decide(one, plans, POLICY)
            ledger.add(decision_entry(one, decision.decision_id, answer_json(decision)))
            if decision.winner is None:
                continue
            event = "complained" if small else "shown"
            outcome = Outcome(decision.decision_id, event, at=NOON_UTC)  # type: ignore[arg-type]
            record_outcome(ledger, outcome, now=NOON_UTC, rejection_days=90)
            ledger.add(
                Entry("receipt", f"rcp_{number}", one.account_id, NOON_UTC, {"receipt_id": f"rcp_{number}"})
            )
            if number % 3 == 0:
                ledger.add(Entry("rollback", f"rcp_{number}", one.account_id, NOON_UTC, {}))
    database.close()
    return url


def test_groups_that_surely_differ_are_named(tmp_path: Path) -> None:
    """Half as many small accounts get an action, and all who saw it complained; the large ones are the measure."""
    url = written(tmp_path)
    groups = {one.name: one for one in exposure(Database(url), "segment")}
    assert set(groups) == {"small", "large"}
    small, large = groups["small"], groups["large"]
    assert (small.exposed.events, small.exposed.of, large.exposed.events, large.exposed.of) == (
        30,
        60,
        60,
        60,
    )
    assert (small.complained.events, small.complained.of, large.complained.events) == (30, 30, 0)
    assert (large.reversed.events, large.reversed.of) == (20, 60)
    assert (small.surely_less_exposed, large.surely_less_exposed) == (True, False)
    assert (small.surely_more_complaints, large.surely_more_complaints) == (True, False)


def test_the_command_shows_each_group(tmp_path: Path) -> None:
    """With shares, intervals and what is sure; accounts without the attribute are a group of their own."""
    url = written(tmp_path)
    words = ["ledger", "exposure", "--ledger", url]
    result = CliRunner().invoke(build_app("ledger"), words, env={"COLUMNS": "250"})
    assert result.exit_code == 0, result.output
    assert "30 of 60, 50.0% (37.7% to 62.3%)" in result.output
    assert "more complaints than another group" in result.output
    other = CliRunner().invoke(build_app("ledger"), [*words, "--by", "industry"], env={"COLUMNS": "250"})
    assert "not known" in other.output
    assert CliRunner().invoke(build_app("ledger"), [*words, "--by", "name"]).exit_code == 2
