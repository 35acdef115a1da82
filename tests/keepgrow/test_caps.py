"""`keepgrow caps` shows what a real server has counted, and counts again from a ledger."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest
import redis
import yaml
from typer.testing import CliRunner

from keepgrow.__main__ import build_app
from serving.caps.store import CapStore, PastUse
from serving.decisions.policy.document import PACKAGED_POLICY
from serving.features.client import make_link
from serving.ledger.database import Database
from serving.ledger.entry import Entry
from serving.ledger.schema import migrate
from serving.ledger.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE = 10
NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


@pytest.fixture
def url(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of an empty database that the commands use."""
    address = valkey_url.removesuffix("/0") + f"/{DATABASE}"
    monkeypatch.setenv("REDIS_URL", address)
    with redis.Redis.from_url(address) as client:
        client.flushdb()
        yield address
        client.flushdb()


def run(*words: str) -> str:
    """Return what `keepgrow caps` prints."""
    done = CliRunner().invoke(build_app("caps"), ["caps", *words, "--at", "2026-03-02T12:00:00"])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_used_is_shown_in_the_cap_s_unit(url: str, tmp_path: Path) -> None:
    """Money is shown in the currency's own unit, with the share of the limit."""
    cap = {"id": "spent", "per": [], "unit": "cost", "limit": 200, "window_days": 30, "on_breach": "draft"}
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump({**yaml.safe_load(PACKAGED_POLICY.read_text()), "caps": [cap]}))

    async def spend() -> None:
        store = CapStore(make_link(url))
        await store.restore(PastUse("r", NOW, None, (("spent", 5050, 30 * 86_400),)), NOW, 5)
        await store.close()

    asyncio.run(spend())
    shown = run("show", "--policy", str(policy))
    assert "50.5" in shown
    assert "25%" in shown
    assert "0 other caps" in shown


@pytest.mark.usefixtures("url")
def test_uses_are_counted_again_from_the_ledger(tmp_path: Path) -> None:
    """A receipt's use comes back; a second run finds nothing missing."""
    url_of_ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    database = Database(url_of_ledger)
    migrate(database)
    use = {"cap": "spent_on_actions", "key": "spent_on_actions", "amount": 700, "window_seconds": 30 * 86_400}
    receipt = {"reservation": {"id": "sim_1", "uses": [use]}}
    with database.writing() as connection:
        Transaction(connection).add(Entry("receipt", "rcp_1", "acme", NOW, receipt))
    ledger = ("--ledger", url_of_ledger)
    assert "1 reservations of the ledger still count; 1 of them were missing" in run("rebuild", *ledger)
    assert "0 of them were missing" in run("rebuild", *ledger)
    assert "7" in run("show")
