"""The outbox: effects wait here, written in the transaction of their receipt, until each target has them.

Every function takes a `Transaction`; who calls decides what else is in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from serving.actions.outbox_row import STATES, Backlog, Row, State, row_of
from serving.actions.tables import OUTBOX
from serving.ledger.entry import from_microseconds, to_microseconds
from serving.ledger.transaction import name_bytes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from serving.actions.events import Event
    from serving.ledger.transaction import Transaction

__all__ = [
    "STATES",
    "Backlog",
    "Row",
    "State",
    "backlog",
    "cancel",
    "claim",
    "counts",
    "enqueue",
    "forget_before",
    "is_due",
    "listing",
    "mark_delivered",
    "mark_failed",
    "of_receipt",
    "send_again",
]


def enqueue(
    transaction: Transaction,
    events: Iterable[Event],
    receipt_id: str,
    targets: Sequence[str],
    now: dt.datetime,
) -> None:
    """Put *events* at the end, once for each of *targets*."""
    rows = [
        {
            "event_id": event.event_id,
            "target": target,
            "account_id": name_bytes(event.account_id),
            "receipt_id": receipt_id,
            "type": event.type,
            "body": event.body,
            "state": "pending",
            "created_us": to_microseconds(now),
            "due_us": to_microseconds(event.due_at),
            "retry_us": 0,
            "attempts": 0,
        }
        for event in events
        for target in targets
    ]
    if rows:
        transaction.connection.execute(OUTBOX.insert(), rows)


def is_due(transaction: Transaction, targets: Collection[str], now: dt.datetime, machine_us: int) -> bool:
    """Return whether there is anything that `claim` may find."""
    wanted = (
        sa.select(OUTBOX.c.seq)
        .where(
            OUTBOX.c.state == "pending",
            OUTBOX.c.due_us <= to_microseconds(now),
            OUTBOX.c.retry_us <= machine_us,
            OUTBOX.c.target.in_(sorted(targets)),
        )
        .limit(1)
    )
    return transaction.connection.execute(wanted).first() is not None


def claim(
    transaction: Transaction, targets: Collection[str], now: dt.datetime, machine_us: int, most: int
) -> list[Row]:
    """Return what may leave now, and count the attempt that the caller is about to make.

    Of each account and target that is the oldest row that is pending and due, so that order holds; rows that wait for
    another try hold back those behind them.

    Args:
        transaction: Where to ask.
        targets: Targets that the caller can reach.
        now: The service's time, for what is not due before.
        machine_us: The machine's time in microseconds, for tries.
        most: Most rows.
    """
    earlier = OUTBOX.alias()
    now_us = to_microseconds(now)
    wanted = (
        sa.select(OUTBOX)
        .where(
            OUTBOX.c.state == "pending",
            OUTBOX.c.due_us <= now_us,
            OUTBOX.c.retry_us <= machine_us,
            OUTBOX.c.target.in_(sorted(targets)),
            ~sa.exists().where(
                earlier.c.account_id == OUTBOX.c.account_id,
                earlier.c.target == OUTBOX.c.target,
                earlier.c.state == "pending",
                earlier.c.due_us <= now_us,
                earlier.c.seq < OUTBOX.c.seq,
            ),
        )
        .order_by(OUTBOX.c.seq)
        .limit(most)
    )
    rows = [row_of(row) for row in transaction.connection.execute(wanted)]
    if rows:
        transaction.connection.execute(
            OUTBOX.update()
            .where(OUTBOX.c.seq.in_([row.seq for row in rows]))
            .values(attempts=OUTBOX.c.attempts + 1)
        )
    return rows


def mark_delivered(transaction: Transaction, seq: int, now: dt.datetime) -> None:
    """Note that the target has the event of row *seq*."""
    transaction.connection.execute(
        OUTBOX.update()
        .where(OUTBOX.c.seq == seq)
        .values(state="delivered", delivered_us=to_microseconds(now), last_error=None)
    )


def mark_failed(transaction: Transaction, seq: int, error: str, retry_us: int | None) -> None:
    """Note why row *seq* did not arrive, and when to try again by the machine's time; None gives it up."""
    values: dict[str, Any] = {"last_error": error, "state": "dead"}
    if retry_us is not None:
        values = {"last_error": error, "retry_us": retry_us}
    transaction.connection.execute(
        OUTBOX.update().where(OUTBOX.c.seq == seq, OUTBOX.c.state == "pending").values(**values)
    )


def of_receipt(transaction: Transaction, receipt_id: str) -> list[Row]:
    """Return the rows of a receipt, oldest first."""
    wanted = sa.select(OUTBOX).where(OUTBOX.c.receipt_id == receipt_id).order_by(OUTBOX.c.seq)
    return [row_of(row) for row in transaction.connection.execute(wanted)]


def cancel(transaction: Transaction, seqs: Collection[int]) -> None:
    """Keep the rows *seqs* from leaving."""
    transaction.connection.execute(
        OUTBOX.update().where(OUTBOX.c.seq.in_(sorted(seqs))).values(state="cancelled")
    )


def listing(transaction: Transaction, state: State | None, account_id: str | None, limit: int) -> list[Row]:
    """Return the newest rows, newest first, in one *state* and of one account if these are given."""
    wanted = sa.select(OUTBOX).order_by(OUTBOX.c.seq.desc()).limit(limit)
    if state is not None:
        wanted = wanted.where(OUTBOX.c.state == state)
    if account_id is not None:
        wanted = wanted.where(OUTBOX.c.account_id == name_bytes(account_id))
    return [row_of(row) for row in transaction.connection.execute(wanted)]


def counts(transaction: Transaction) -> dict[str, int]:
    """Return how many rows are in each state."""
    wanted = sa.select(OUTBOX.c.state, sa.func.count()).group_by(OUTBOX.c.state)
    found = {str(state): int(count) for state, count in transaction.connection.execute(wanted)}
    return {state: found.get(state, 0) for state in STATES}


def backlog(transaction: Transaction, now: dt.datetime) -> list[Backlog]:
    """Return what has not arrived at each target that something waits for.

    Args:
        transaction: Where to ask.
        now: The service's time.
    """
    now_us = to_microseconds(now)
    due = sa.func.sum(sa.case((OUTBOX.c.due_us <= now_us, 1), else_=0))
    wanted = (
        sa.select(OUTBOX.c.target, OUTBOX.c.state, sa.func.count(), due, sa.func.min(OUTBOX.c.due_us))
        .where(OUTBOX.c.state.in_(["pending", "dead"]))
        .group_by(OUTBOX.c.target, OUTBOX.c.state)
    )
    found: dict[str, Backlog] = {}
    for target, state, count, due_count, due_us in transaction.connection.execute(wanted):
        one = found.get(target, Backlog(target))
        if state == "dead":
            found[target] = replace(one, dead=int(count))
            continue
        pending = int(due_count)
        since = from_microseconds(due_us) if pending else None
        found[target] = replace(one, pending=pending, scheduled=int(count) - pending, due_since=since)
    return list(found.values())


def send_again(
    transaction: Transaction, event_ids: Collection[str], from_state: State, account_id: str | None = None
) -> int:
    """Let events that are *from_state* (`dead`: a retry, `delivered`: a replay) leave anew; return how many rows.

    Args:
        transaction: Where to write.
        event_ids: Which; none given: all in that state.
        from_state: What they must be.
        account_id: Only this account's, if given.
    """
    change = OUTBOX.update().where(OUTBOX.c.state == from_state)
    if event_ids:
        change = change.where(OUTBOX.c.event_id.in_(sorted(event_ids)))
    if account_id is not None:
        change = change.where(OUTBOX.c.account_id == name_bytes(account_id))
    result = transaction.connection.execute(
        change.values(state="pending", attempts=0, retry_us=0, delivered_us=None)
    )
    return int(result.rowcount)


def forget_before(transaction: Transaction, before: dt.datetime) -> int:
    """Forget events that were put in before a time and have nowhere to go any more; return how many rows."""
    result = transaction.connection.execute(
        OUTBOX.delete().where(
            OUTBOX.c.created_us < to_microseconds(before), OUTBOX.c.state.in_(["delivered", "cancelled"])
        )
    )
    return int(result.rowcount)
