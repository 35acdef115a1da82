"""Empties contents: an account's by its wish, old ones when their time is over. The chain stays verifiable.

What stays of an erased account's entry: number, kind, id, time, a random pseudonym that nothing connects with the
account any more, and a salted hash whose salt is gone.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from serving.ledger.autonomy import AUTONOMY
from serving.ledger.entry import Entry, to_microseconds
from serving.ledger.tables import ACCOUNT_NAMES, CONTENTS, ENTRIES, METADATA
from serving.ledger.transaction import Transaction, name_bytes

if TYPE_CHECKING:
    import datetime as dt

    from serving.ledger.database import Database

ERASURE: Final = "erasure"
RETENTION: Final = "retention"
KEPT_KINDS: Final = (ERASURE, RETENTION, AUTONOMY)
"""Entries that say what was emptied, and how far actions may go; they name no account and are never emptied."""
_EMPTY: Final = {"salt": None, "account_id": None, "content": None}


def forget(database: Database, account_id: str, *, now: dt.datetime, reason: str) -> int | None:
    """Empty all that the ledger says about an account, and say so in the chain.

    In every other table of `METADATA` that is loaded and has a column `account_id`, its rows are deleted.

    Args:
        database: The ledger's.
        account_id: The account.
        now: Time of the erasure.
        reason: Why, without naming the account.

    Returns:
        How many contents were emptied; None if the ledger never knew the account.

    Raises:
        LedgerUnavailable: The database does not let us; then nothing was emptied.
    """
    name = name_bytes(account_id)
    with database.writing() as connection:
        transaction = Transaction(connection)
        wanted = sa.select(ACCOUNT_NAMES.c.pseudonym).where(ACCOUNT_NAMES.c.account_id == name)
        pseudonym = connection.execute(wanted).scalar()
        for table in METADATA.tables.values():
            if table is not CONTENTS and "account_id" in table.c:
                connection.execute(table.delete().where(table.c.account_id == name))
        if pseudonym is None:
            return None
        emptied = _empty(connection, ENTRIES.c.account == pseudonym)
        content = {"account": pseudonym, "entries": emptied, "reason": reason}
        transaction.add(Entry(ERASURE, f"era_{secrets.token_hex(16)}", None, now, content))
    database.checkpoint(truncate=True)
    return emptied


def prune(database: Database, *, before: dt.datetime, now: dt.datetime) -> int:
    """Empty the contents of all entries that are older than *before*, and say so in the chain.

    Returns:
        How many were emptied.

    Raises:
        LedgerUnavailable: The database does not let us; then nothing was emptied.
        ValueError: A time has no zone.
    """
    before_us = to_microseconds(before)
    with database.writing() as connection:
        emptied = _empty(connection, ENTRIES.c.at_us < before_us)
        if emptied:
            content = {"before_us": before_us, "before": before.isoformat(), "entries": emptied}
            entry = Entry(RETENTION, f"ret_{secrets.token_hex(16)}", None, now, content)
            Transaction(connection).add(entry)
    database.checkpoint(truncate=True)
    return emptied


def _empty(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    entries = sa.select(ENTRIES.c.seq).where(which, ENTRIES.c.kind.not_in(KEPT_KINDS))
    result = connection.execute(
        CONTENTS.update().where(CONTENTS.c.seq.in_(entries), CONTENTS.c.content.is_not(None)).values(_EMPTY)
    )
    return int(result.rowcount)
