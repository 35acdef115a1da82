"""The statements of every commit, run on the driver itself: through SQLAlchemy they cost four times the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

HEAD: Final = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1"
NAMES: Final = "SELECT account_id, pseudonym FROM account_names WHERE account_id IN ({})"
ADD_NAMES: Final = "INSERT INTO account_names (account_id, pseudonym) VALUES (?, ?)"
ADD_ENTRIES: Final = (
    "INSERT INTO entries (seq, kind, record_id, account, at_us, content_hash, previous, hash) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
ADD_CONTENTS: Final = "INSERT INTO contents (seq, salt, account_id, content) VALUES (?, ?, ?, ?)"


class Statements:
    """Runs statements on the driver's connection that a SQLAlchemy *connection* holds, in its transaction."""

    __slots__ = ("_cursor", "_driver", "_marks")

    def __init__(self, connection: sa.Connection) -> None:
        self._driver: Any = connection.dialect.dbapi
        self._cursor: Any = connection.connection.cursor()
        self._marks = connection.dialect.paramstyle != "qmark"

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows that *statement* finds.

        Raises:
            sqlalchemy.exc.DBAPIError: The database refuses.
        """
        try:
            self._cursor.execute(self._text(statement), values)
            rows: list[Any] = self._cursor.fetchall()
        except self._driver.Error as error:
            raise self._worded(statement, error) from error
        return rows

    def names(self, account_ids: Sequence[bytes]) -> list[Any]:
        """Return id and pseudonym of those of *account_ids* that have one."""
        return self.rows(NAMES.format(", ".join("?" * len(account_ids))), account_ids)

    def insert(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run *statement* for each of *rows*.

        Raises:
            sqlalchemy.exc.DBAPIError: The database refuses.
        """
        try:
            self._cursor.executemany(self._text(statement), rows)
        except self._driver.Error as error:
            raise self._worded(statement, error) from error

    def _text(self, statement: str) -> str:
        return statement.replace("?", "%s") if self._marks else statement

    def _worded(self, statement: str, error: Exception) -> BaseException:
        return DBAPIError.instance(statement, None, error, self._driver.Error)
