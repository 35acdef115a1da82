"""The connection to the ledger's database, SQLite or PostgreSQL, and how each is told to write one at a time."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from serving.errors import LedgerError, LedgerUnavailable
from serving.ledger.sqlite import begin_reading, begin_writing, tell_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.ledger.sqlite import Sync

WRITERS_LOCK: Final = 0x6B656570_67726F77
"""Key of PostgreSQL's advisory lock that one writer at a time holds: `keepgrow` in ASCII."""
_CONNECT_SECONDS: Final = 2


class Database:
    """A ledger's database.

    Attributes:
        embedded: Whether it is SQLite, a file that this process may make.
    """

    def __init__(self, url: str, *, wait_seconds: float = 5.0, sync: Sync = "full") -> None:
        """Describe the database; nothing is opened yet.

        Args:
            url: `sqlite:///FILE`, or `postgresql://[USER[:PASSWORD]@]HOST[:PORT]/NAME`.
            wait_seconds: Longest time to wait for another process that writes.
            sync: What a commit to SQLite survives: `normal` the end of the process, `full` that of power too.

        Raises:
            LedgerError: The URL can't be used.
        """
        self._url = _parsed(url)
        self.embedded = self._url.get_backend_name() == "sqlite"
        self._wait_seconds = wait_seconds
        self._sync = sync
        self._quick: Any = None
        self._readers = self._engine(writes=False)
        self._writers = self._engine(writes=True)

    @contextlib.contextmanager
    def writing(self, connection: sa.Connection | None = None) -> Iterator[sa.Connection]:
        """Hold the one right to write: a transaction that no other writer's can overlap.

        Args:
            connection: One of `connect`, to be used again; else one of the pool's.

        Raises:
            LedgerUnavailable: The database did not let us write.
        """
        with _worded(), contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(self._writers.connect())
            with connection.begin():
                if not self.embedded:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITERS_LOCK)))
                yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Hold a connection that reads one state of the database.

        Raises:
            LedgerUnavailable: The database did not let us read.
        """
        with _worded(), self._readers.connect() as connection, connection.begin():
            yield connection

    def quick(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """Return the rows of a small look-up in an embedded database, for one thread only, without any pool.

        Raises:
            LedgerUnavailable: The database did not let us read.
        """
        try:
            if self._quick is None:
                pooled = self._readers.raw_connection()
                self._quick = pooled.driver_connection
                pooled.detach()
            rows: list[Any] = self._quick.execute(statement, values).fetchall()
        except (sqlite3.Error, DBAPIError) as error:
            raise LedgerUnavailable(f"the ledger's database refuses: {error}") from error
        return rows

    def connect(self) -> sa.Connection:
        """Return a connection for `writing`, to be closed by the caller.

        Raises:
            LedgerUnavailable: There is no connection to be had.
        """
        with _worded():
            return self._writers.connect()

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Move what SQLite's log holds into its file, as far as nobody is in the way.

        Args:
            truncate: Also empty the log, so that nothing of what was overwritten stays in it.

        Raises:
            LedgerUnavailable: The file can't be written.
        """
        if self.embedded:
            with _worded(), contextlib.closing(self._readers.raw_connection()) as connection:
                cursor = connection.cursor()
                cursor.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if truncate else 'PASSIVE'})")
                cursor.close()

    def close(self) -> None:
        """Close all connections that nobody uses."""
        if self._quick is not None:
            self._quick.close()
            self._quick = None
        self._readers.dispose()
        self._writers.dispose()

    def _engine(self, *, writes: bool) -> sa.Engine:
        arguments: dict[str, Any]
        if self.embedded:
            arguments = {"timeout": self._wait_seconds, "check_same_thread": False}
        else:
            milliseconds = int(self._wait_seconds * 1000)
            arguments = {
                "connect_timeout": _CONNECT_SECONDS,
                "options": f"-c lock_timeout={milliseconds} -c statement_timeout={milliseconds}",
                "application_name": "keepgrow",
            }
        try:
            engine = sa.create_engine(self._url, connect_args=arguments, pool_pre_ping=not self.embedded)
            if not self.embedded:
                engine = engine.execution_options(
                    isolation_level="READ COMMITTED" if writes else "REPEATABLE READ"
                )
        except (ArgumentError, NoSuchModuleError) as error:
            raise LedgerError(f"{self}: {error}") from error
        except ModuleNotFoundError as error:
            raise LedgerError(
                f"{self}: PostgreSQL needs the package {error.name}: pip install 'keepgrow[postgres]'"
            ) from error
        if self.embedded:
            tell_sqlite(engine, self._sync)
            if writes:
                sa.event.listen(
                    engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout = 0")
                )
                wait = functools.partial(begin_writing, wait_seconds=self._wait_seconds)
                sa.event.listen(engine, "begin", wait)
            else:
                sa.event.listen(engine, "begin", begin_reading)
        return engine

    def make_folder(self) -> None:
        """Make the folder of an embedded database's file.

        Raises:
            LedgerUnavailable: It can't be made.
        """
        file = self._url.database
        if not self.embedded or not file:
            return
        try:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerUnavailable(f"{self}: its folder can't be made: {error}") from error

    def require_file(self) -> None:
        """Insist that an embedded database's file is there: to read must not make one.

        Raises:
            LedgerError: It is not.
        """
        if self.embedded and not Path(self._url.database or "").is_file():
            raise LedgerError(f"{self}: there is no such file")

    def __str__(self) -> str:
        """The URL without its password."""
        return self._url.render_as_string(hide_password=True)


def _parsed(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except ArgumentError as error:
        raise LedgerError(
            "the ledger's address is none; it should be sqlite:///FILE or postgresql://HOST/NAME"
        ) from error
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise LedgerError(f"the ledger can't be kept in {url.get_backend_name()}: only SQLite and PostgreSQL")
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise LedgerError("a ledger in memory would keep nothing: name a file, as in sqlite:///ledger.db")
    return url


@contextlib.contextmanager
def _worded() -> Iterator[None]:
    """Turn the driver's failures into ours; those that speak of the data (a key given twice) pass."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except DBAPIError as error:
        raise LedgerUnavailable(f"the ledger's database refuses: {error.orig}") from error
    except sa.exc.TimeoutError as error:
        raise LedgerUnavailable("the ledger's connections are all in use") from error
