"""A ledger on each database that it can be kept in: SQLite always, PostgreSQL where a server is installed."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from serving.ledger.entry import Entry
from serving.ledger.ledger import Ledger
from serving.ledger.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from serving.ledger.database import Database

NOW = dt.datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=dt.UTC)
_numbers = itertools.count()


def entry(number: int, account_id: str | None = "acme-0042", kind: str = "decision", **content: Any) -> Entry:
    """Return an entry that is told from others by its number."""
    at = NOW + dt.timedelta(seconds=number)
    return Entry(kind, f"{kind}-{number}", account_id, at, {"number": number, **content})


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the address of a ledger that does not exist yet, in each database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    with new_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@contextlib.contextmanager
def new_database(server: str) -> Iterator[str]:
    """Give the URL of a new, empty database on the PostgreSQL *server*, which is dropped at the end."""
    name = f"ledger_{next(_numbers)}"
    engine = sa.create_engine(
        server.replace("postgresql://", "postgresql+psycopg://") + "/postgres", isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """Return an open ledger in each database."""
    ledger = Ledger(ledger_url, timeout_seconds=20)
    migrate(ledger.database)
    await ledger.open()
    yield ledger
    await ledger.close()


@pytest.fixture
def database(ledger: Ledger) -> Database:
    """Return the database of `ledger`."""
    return ledger.database
