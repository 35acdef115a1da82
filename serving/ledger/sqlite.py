"""How SQLite is told to keep a ledger: its settings, and transactions that begin when we say so."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

Sync = Literal["normal", "full"]
_ASK_AGAIN_SECONDS: Final = 0.0005
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "wal_autocheckpoint = 25000",  # pages; see `checkpoints`, and 100 MB if nobody makes any
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "secure_delete = ON",  # what erasure empties is overwritten, not only let go
)


def tell_sqlite(engine: sa.Engine, sync: Sync) -> None:
    """Set how SQLite keeps files, and make transactions ours to begin: the driver would begin them late.

    Args:
        engine: Every connection that it makes is told.
        sync: What a commit survives: `normal` the end of the process, `full` that of power too.
    """

    def on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401 -- the driver's own type
        connection.isolation_level = None
        for pragma in (*_PRAGMAS, f"synchronous = {sync}"):
            connection.execute(f"PRAGMA {pragma}").close()

    sa.event.listen(engine, "connect", on_connect)


def begin_reading(connection: sa.Connection) -> None:
    """Begin a transaction that sees one state of the file from its first look on."""
    connection.connection.cursor().execute("BEGIN")


def begin_writing(connection: sa.Connection, wait_seconds: float) -> None:
    """Take the right to write as soon as nobody has it.

    SQLite itself asks again after 1, 2, 5, 10, 15, 20, 25 ms and more, so that a busy neighbour would keep it away.

    Raises:
        sqlalchemy.exc.DBAPIError: Others had it all the time, or the file can't be written.
    """
    cursor = connection.connection.cursor()
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise DBAPIError.instance("BEGIN IMMEDIATE", None, error, sqlite3.Error) from error
            time.sleep(_ASK_AGAIN_SECONDS)
        else:
            return
