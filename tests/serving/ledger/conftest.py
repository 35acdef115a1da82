"""A ledger on each database that it can be kept in: SQLite always, PostgreSQL where a server is installed."""

from __future__ import annotations

import datetime as dt
import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from keepgrow.processes import free_port
from serving.ledger.entry import Entry
from serving.ledger.ledger import Ledger
from serving.ledger.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from serving.ledger.database import Database

NOW = dt.datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=dt.UTC)
_numbers = itertools.count()


def entry(number: int, account_id: str | None = "acme-0042", kind: str = "decision", **content: Any) -> Entry:
    """Return an entry that is told from others by its number."""
    at = NOW + dt.timedelta(seconds=number)
    return Entry(kind, f"{kind}-{number}", account_id, at, {"number": number, **content})


def _pg_ctl() -> str | None:
    """Return PostgreSQL's own launcher; Debian does not put it on PATH."""
    found = shutil.which("pg_ctl")
    return found or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)), None
    )


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Return the URL of a PostgreSQL server of this test session's own, or skip where none is installed."""
    launcher = _pg_ctl()
    if launcher is None:
        pytest.skip("no PostgreSQL server is installed; SQLite's tests cover the same contract")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("the package psycopg is not installed (pip install 'keepgrow[postgres]')")
    # As root PostgreSQL refuses to run; Debian's package brings a user of its own.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="keepgrow-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        port = free_port()
        data, log = folder / "data", folder / "log"
        init = ["-o", "--auth=trust --username=keepgrow --no-sync --encoding=UTF8 --locale=C"]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

        def run(*words: str) -> None:
            result = subprocess.run(
                [launcher, "-D", data, *words],
                user=user,
                cwd=folder,
                capture_output=True,
                check=False,
                text=True,
            )
            assert result.returncode == 0, result.stderr + (log.read_text() if log.exists() else "")

        run("init", *init)
        with log.open("w"):
            pass
        if user is not None:
            shutil.chown(log, user)
        run("start", "-w", "-l", str(log), "-o", options)
        try:
            yield f"postgresql://keepgrow@127.0.0.1:{port}"
        finally:
            run("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a ledger that does not exist yet, in each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return new_database(request.getfixturevalue("postgres_url"))


def new_database(server: str) -> str:
    """Return the URL of a new, empty database on the PostgreSQL *server*."""
    name = f"ledger_{next(_numbers)}"
    engine = sa.create_engine(server.replace("postgresql://", "postgresql+psycopg://") + "/postgres")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server}/{name}"


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
