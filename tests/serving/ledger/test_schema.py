"""The steps by which the tables come to be, and what is done about tables of another version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import serving.actions.tables  # noqa: F401 - they are part of what the steps make
from serving.errors import LedgerError, LedgerUnavailable
from serving.ledger.database import Database
from serving.ledger.ledger import Ledger
from serving.ledger.schema import migrate, newest_version, require_current, version_of
from serving.ledger.tables import METADATA

if TYPE_CHECKING:
    from pathlib import Path


def test_the_steps_make_the_tables_that_the_code_speaks_of(ledger_url: str) -> None:
    """Tables made by all steps are those of `METADATA`, column for column and index for index; once is enough."""
    database = Database(ledger_url)
    assert migrate(database)
    assert not migrate(database)
    with database.reading() as connection:
        assert version_of(connection) == newest_version()
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert found == []
    database.close()


def test_tables_of_a_later_version_are_refused(ledger_url: str) -> None:
    """An older Keepgrow leaves a newer ledger alone and says so."""
    database = Database(ledger_url)
    migrate(database)
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="9999, later than"):
        migrate(database)
    with pytest.raises(LedgerError, match="9999, later than"):
        require_current(database)
    database.close()


async def test_an_embedded_ledger_is_made_at_the_start(tmp_path: Path) -> None:
    """To open a ledger in a folder that is not there makes both."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'new' / 'ledger.db'}")
    await ledger.open()
    assert (tmp_path / "new" / "ledger.db").exists()
    await ledger.close()


async def test_a_server_s_tables_are_made_by_command_only(ledger_url: str) -> None:
    """With PostgreSQL the start is refused until somebody has run `keepgrow ledger migrate`."""
    ledger = Ledger(ledger_url, timeout_seconds=20)
    if ledger.database.embedded:
        pytest.skip("embedded tables are made at the start")
    with pytest.raises(LedgerError, match="keepgrow ledger migrate"):
        await ledger.open()
    migrate(ledger.database)
    await ledger.open()
    await ledger.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """Nobody listens: to open fails in time, and the error shows no password."""
    ledger = Ledger("postgresql://me:hunter2@127.0.0.1:9/ledger", timeout_seconds=1)
    with pytest.raises(LedgerUnavailable):
        await ledger.open()
    assert "hunter2" not in str(ledger.database)
    await ledger.close()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("no url", "should be sqlite"),
        ("mysql://host/db", "only SQLite and PostgreSQL"),
        ("sqlite://", "keep nothing"),
        ("sqlite:///:memory:", "keep nothing"),
    ],
)
def test_an_address_that_can_not_be_used_is_named(url: str, fault: str) -> None:
    """What is wrong with it, and what would be right."""
    with pytest.raises(LedgerError, match=fault):
        Database(url)
