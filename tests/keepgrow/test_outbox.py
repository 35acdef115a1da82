"""`keepgrow outbox`: what waits is listed, sent, retried and replayed without a service."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from keepgrow.outbox import outbox_app
from serving.actions import outbox
from serving.actions.events import make_event
from serving.actions.types import SideEffect
from serving.errors import LedgerError
from serving.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


async def fill(url: str, target: str, *, dead: bool) -> None:
    """Make a ledger with one effect in its outbox."""
    ledger = Ledger(url, timeout_seconds=20)
    await ledger.open()
    event = make_event(SideEffect("test.done", {"a": 1}), "acme", "rcp_1", NOW, {})
    await ledger.transact(lambda transaction: outbox.enqueue(transaction, [event], "rcp_1", [target], NOW))
    if dead:
        await ledger.transact(lambda transaction: outbox.mark_failed(transaction, 1, "it said no", None))
    await ledger.close()


def run(*arguments: str) -> str:
    """Return what a command that must succeed prints."""
    result = CliRunner().invoke(outbox_app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_effect_that_was_given_up_is_listed_retried_sent_and_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The road of a dead effect: seen with its reason, let leave anew, delivered, and sent once more under its id."""
    file, url = tmp_path / "effects.jsonl", f"sqlite:///{tmp_path / 'ledger.db'}"
    asyncio.run(fill(url, f"file:{file}", dead=True))
    monkeypatch.setenv("LEDGER_URL", url)
    monkeypatch.setenv("KEEPGROW_OUTBOX", f"file:{file}")
    monkeypatch.setenv("COLUMNS", "400")
    listed = run("list", "--state", "dead")
    assert "it said no" in listed
    assert "0 pending, 0 delivered, 1 dead, 0 cancelled" in listed
    assert "0 delivered" in run("run", "--once")
    assert "1 will be sent" in run("retry", "--all")
    assert "1 delivered" in run("run", "--once")
    assert "1 will be sent" in run("replay", "--account", "acme")
    assert "1 delivered" in run("run", "--once")
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert first == second
    assert "test.done" in run("list", "--account", "acme")
    assert "0 will be sent" in run("retry", first["id"])
    assert "1 effects and 0 answers" in run("prune", "--days", "1")
    assert "0 pending, 0 delivered, 0 dead, 0 cancelled" in run("list")


def test_what_is_meant_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a state that there is not nor a repetition of nothing in particular is guessed at."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    asyncio.run(fill(url, "log", dead=False))
    monkeypatch.setenv("LEDGER_URL", url)
    for arguments in (["list", "--state", "gone"], ["replay"], ["retry"]):
        result = CliRunner().invoke(outbox_app, arguments)
        assert isinstance(result.exception, LedgerError)
