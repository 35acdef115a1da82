"""Who sends from the outbox: one process at a time, by the machines' clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from serving.actions.tables import LEASES

if TYPE_CHECKING:
    from serving.ledger.transaction import Transaction

LEASE: Final = "outbox"


def hold_lease(transaction: Transaction, holder: str, machine_us: int, until_us: int) -> bool:
    """Return whether *holder* may send until *until_us*: nobody else's lease runs at *machine_us*."""
    connection = transaction.connection
    row = connection.execute(sa.select(LEASES).where(LEASES.c.name == LEASE)).first()
    if row is None:
        connection.execute(LEASES.insert().values(name=LEASE, holder=holder, until_us=until_us))
        return True
    if row.holder != holder and row.until_us > machine_us:
        return False
    connection.execute(LEASES.update().where(LEASES.c.name == LEASE).values(holder=holder, until_us=until_us))
    return True


def drop_lease(transaction: Transaction, holder: str) -> None:
    """Let others send at once, if *holder* holds the lease."""
    transaction.connection.execute(LEASES.delete().where(LEASES.c.name == LEASE, LEASES.c.holder == holder))
