"""`keepgrow triggers run` on a real store and ledger: over all accounts, over named ones, only looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from keepgrow.triggers import triggers_app
from serving.ledger.database import Database
from serving.ledger.schema import migrate
from serving.ledger.transaction import Transaction
from serving.triggers.accounts import stored_accounts
from serving.triggers.errors import PlaybooksError
from tests.serving.triggers.worlds import settings_in
from tests.serving.world import ACCOUNTS, IDLE, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.conftest import World

AT = f"{NOW:%Y-%m-%dT%H:%M:%S}"


@pytest.fixture
def database(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return the ledger of a service that the environment describes."""
    settings = settings_in(world, tmp_path)
    for name, value in {
        "REDIS_URL": settings.redis_url,
        "LEDGER_URL": settings.ledger_url,
        "BENTOML_HOME": str(world.home),
        "KEEPGROW_MODEL": world.tag,
        "KEEPGROW_CATALOGUE": str(settings.catalogue),
        "KEEPGROW_POLICY": str(settings.policy),
        "KEEPGROW_PLAYBOOKS": str(settings.playbooks),
        "KEEPGROW_OUTBOX": settings.outbox,
        "COLUMNS": "160",
    }.items():
        monkeypatch.setenv(name, value)
    database = Database(settings.ledger_url, wait_seconds=20)
    migrate(database)
    return database


def written(database: Database) -> int:
    """Return how many entries the ledger has."""
    with database.reading() as connection:
        return Transaction(connection).head().seq


def test_a_run_goes_over_all_accounts_and_a_second_one_finds_nothing_to_do(database: Database) -> None:
    """What is on record is not done again."""
    first = CliRunner().invoke(triggers_app, ["run", "--at", AT])
    assert first.exit_code == 0, first.output
    assert f"{ACCOUNTS} accounts as of 2026-03-01 13:00 (UTC)" in first.output
    assert "effects leave by the service's outbox" in first.output
    entries = written(database)
    assert entries > ACCOUNTS
    second = CliRunner().invoke(triggers_app, ["run", "--at", AT])
    assert second.exit_code == 0, second.output
    assert written(database) == entries


def test_a_dry_run_records_nothing(database: Database) -> None:
    """It prints the same table."""
    result = CliRunner().invoke(triggers_app, ["run", "--at", AT, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "nothing was recorded or done" in result.output
    assert written(database) == 0


def test_accounts_can_be_named_in_a_file(database: Database, tmp_path: Path) -> None:
    """One a line; those that the store does not know are counted, and an empty file is an error."""
    path = tmp_path / "accounts.txt"
    path.write_text(f"{IDLE}\n\nnobody\n{IDLE}\n")
    result = CliRunner().invoke(triggers_app, ["run", "--at", AT, "--accounts", str(path)])
    assert result.exit_code == 0, result.output
    assert "2 accounts as of" in result.output
    assert "1 not known to the online store" in result.output
    assert written(database) == 3  # the workflow, its decision for nothing, and that step
    path.write_text("\n")
    result = CliRunner().invoke(triggers_app, ["run", "--accounts", str(path)])
    assert isinstance(result.exception, PlaybooksError)


async def test_the_stores_accounts_are_listed_once_each(world: World) -> None:
    """Awkward ids too; those of a Cluster have to be named."""
    found = await stored_accounts(world.contract, world.redis_url, 5.0)
    assert found == sorted(world.features.column("account_id").to_pylist())
    with pytest.raises(PlaybooksError, match="--accounts FILE"):
        await stored_accounts(world.contract, "redis+cluster://localhost:7000", 5.0)
