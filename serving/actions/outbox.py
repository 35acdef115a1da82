"""The outbox: effects wait here, written in the transaction of their receipt, until each target has them.

Every function takes a `Transaction`; who calls decides what else is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from serving.actions.tables import OUTBOX
from serving.decisions.decision import utc_text
from serving.ledger.entry import from_microseconds, to_microseconds
from serving.ledger.transaction import name_bytes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from serving.actions.events import Event
    from serving.ledger.transaction import Transaction

State = Literal["pending", "delivered", "dead", "cancelled"]
STATES: Final[tuple[State, ...]] = ("pending", "delivered", "dead", "cancelled")


@dataclass(frozen=True, slots=True)
class Row:
    """One event on its way to one target.

    Attributes:
        seq: Its place; events of an account reach a target in this order.
        event_id: Id of the event.
        target: Where it goes.
        account_id: The account.
        receipt_id: The receipt that it belongs to.
        type: Type of the event.
        body: The CloudEvent.
        state: What became of it.
        due_at: When it may leave, by the service's clock.
        attempts: How often it was tried.
        delivered_at: When the target took it, by the service's clock.
        last_error: Why the last attempt failed.
    """

    seq: int
    event_id: str
    target: str
    account_id: str
    receipt_id: str
    type: str
    body: bytes
    state: State
    due_at: dt.datetime
    attempts: int
    delivered_at: dt.datetime | None
    last_error: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as the API and the command line show it."""
        return {
            "event_id": self.event_id,
            "type": self.type,
            "target": self.target,
            "state": self.state,
            "attempts": self.attempts,
            "due_at": utc_text(self.due_at),
            "delivered_at": None if self.delivered_at is None else utc_text(self.delivered_at),
            "last_error": self.last_error,
        }


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
    rows = [_row(row) for row in transaction.connection.execute(wanted)]
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
    return [_row(row) for row in transaction.connection.execute(wanted)]


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
    return [_row(row) for row in transaction.connection.execute(wanted)]


def counts(transaction: Transaction) -> dict[str, int]:
    """Return how many rows are in each state."""
    wanted = sa.select(OUTBOX.c.state, sa.func.count()).group_by(OUTBOX.c.state)
    found = {str(state): int(count) for state, count in transaction.connection.execute(wanted)}
    return {state: found.get(state, 0) for state in STATES}


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


def _row(row: sa.Row[Any]) -> Row:
    return Row(
        seq=row.seq,
        event_id=row.event_id,
        target=row.target,
        account_id=bytes(row.account_id).decode("utf-8", "surrogatepass"),
        receipt_id=row.receipt_id,
        type=row.type,
        body=bytes(row.body),
        state=row.state,
        due_at=from_microseconds(row.due_us),
        attempts=row.attempts,
        delivered_at=None if row.delivered_us is None else from_microseconds(row.delivered_us),
        last_error=row.last_error,
    )
