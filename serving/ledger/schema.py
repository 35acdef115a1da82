"""Brings a ledger's tables up to date. Alembic is imported only where there is something to do."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from serving.errors import LedgerError

if TYPE_CHECKING:
    from serving.ledger.database import Database

MIGRATIONS: Final = Path(__file__).with_name("migrations")


@cache
def newest_version() -> str:
    """Return the number of the last step: steps are numbered without gaps and named by their numbers."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def version_of(connection: sa.Connection) -> str | None:
    """Return the step up to which the database's tables are made, or None if there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def migrate(database: Database) -> bool:
    """Make the tables, or change them into what this version needs; only one process does it at a time.

    Returns:
        Whether there was anything to do.

    Raises:
        LedgerError: The tables are of a later version than this.
        LedgerUnavailable: The database does not let us.
    """
    database.make_folder()
    with database.reading() as connection:
        if _is_current(connection, database):
            return False
    with database.writing() as connection:
        if _is_current(connection, database):
            return False
        from alembic import command  # noqa: PLC0415 -- 0.1 s and 11 MB that an ordinary start does not need
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def require_current(database: Database) -> None:
    """Insist that the tables are up to date; those of an embedded database are brought there.

    Raises:
        LedgerError: They are not, and what to do.
        LedgerUnavailable: The database does not answer.
    """
    if database.embedded:
        migrate(database)
        return
    with database.reading() as connection:
        if not _is_current(connection, database):
            raise LedgerError(
                f"{database}: the ledger's tables are at version {version_of(connection) or 'none'}, and "
                f"this Keepgrow needs {newest_version()}: run `keepgrow ledger migrate`"
            )


def _is_current(connection: sa.Connection, database: Database) -> bool:
    version, newest = version_of(connection), newest_version()
    if version is not None and version > newest:
        raise LedgerError(
            f"{database}: the ledger's tables are at version {version}, later than this Keepgrow knows "
            f"({newest}): run a later one"
        )
    return version == newest
