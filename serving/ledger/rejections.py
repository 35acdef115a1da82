"""What accounts have rejected, and until when it is not proposed to them again: true at once in every process.

The table follows from the outcomes in `entries` and is written in their transactions. SQLite's is read in the event
loop: one look-up by key takes some 20 microseconds, a thread's turn ten times that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from serving.ledger.entry import from_microseconds, to_microseconds
from serving.ledger.tables import REJECTIONS
from serving.ledger.transaction import Transaction, name_bytes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from serving.ledger.ledger import Ledger

_OF_ACCOUNT: Final = sa.select(REJECTIONS.c.action, REJECTIONS.c.until_us).where(
    REJECTIONS.c.account_id == sa.bindparam("account"), REJECTIONS.c.until_us > sa.bindparam("now")
)
_SQLITE: Final = "SELECT action, until_us FROM rejections WHERE account_id = ? AND until_us > ?"


def suppress(transaction: Transaction, account_id: str, action: str, until: dt.datetime) -> None:
    """Note that *account_id* is not proposed *action* before *until*; an earlier note never shortens a later one."""
    account = name_bytes(account_id)
    same = (REJECTIONS.c.account_id == account) & (REJECTIONS.c.action == action)
    found = transaction.connection.execute(sa.select(REJECTIONS.c.until_us).where(same)).scalar()
    until_us = to_microseconds(until)
    if found is None:
        transaction.connection.execute(
            REJECTIONS.insert().values(account_id=account, action=action, until_us=until_us)
        )
    elif found < until_us:
        transaction.connection.execute(REJECTIONS.update().where(same).values(until_us=until_us))


class Rejections:
    """Reads what accounts have rejected."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def of(self, account_id: str, now: dt.datetime) -> Mapping[str, dt.datetime]:
        """Return the actions that *account_id* is not proposed at *now*, each with its end.

        Raises:
            LedgerUnavailable: The ledger does not answer.
        """
        account, now_us = name_bytes(account_id), to_microseconds(now)
        if self._ledger.database.embedded:
            rows = await self._ledger.quick(_SQLITE, (account, now_us))
        else:

            def ask(transaction: Transaction) -> list[Any]:
                return list(transaction.connection.execute(_OF_ACCOUNT, {"account": account, "now": now_us}))

            rows = await self._ledger.look(ask)
        return {action: from_microseconds(until) for action, until in rows}
