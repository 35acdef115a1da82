"""A row of the outbox: one event on its way to one target, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from serving.decisions.decision import utc_text
from serving.ledger.entry import from_microseconds

if TYPE_CHECKING:
    import datetime as dt

    import sqlalchemy as sa

State = Literal["pending", "delivered", "dead", "cancelled"]
STATES: Final[tuple[State, ...]] = ("pending", "delivered", "dead", "cancelled")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has not arrived at one target.

    Attributes:
        target: The target.
        pending: Events that are due.
        scheduled: Events that are not due yet.
        dead: Events that were given up.
        due_since: Since when the oldest of the pending ones has been due, by the service's clock; None if none is.
    """

    target: str
    pending: int = 0
    scheduled: int = 0
    dead: int = 0
    due_since: dt.datetime | None = None


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


def row_of(row: sa.Row[Any]) -> Row:
    """Return what a row of the table says."""
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
