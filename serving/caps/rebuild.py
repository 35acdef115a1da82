"""Counts what was used of caps again, from the ledger, for a server that lost its data."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import orjson
import sqlalchemy as sa

from serving.caps.store import PastUse
from serving.ledger.decisions import DECISION
from serving.ledger.entry import from_microseconds, to_microseconds
from serving.ledger.outcomes import OUTCOME
from serving.ledger.tables import CONTENTS, ENTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serving.caps.store import CapStore
    from serving.ledger.database import Database

RECEIPT: Final = "receipt"
ROWS_AT_ONCE: Final = 2_000
LONGEST_WINDOW: Final = dt.timedelta(days=400)


def past_uses(database: Database, now: dt.datetime) -> Iterator[PastUse]:
    """Yield what decisions and receipts of the ledger have reserved, as far as it may still count.

    A decision's use counts if it was reported as shown, or may still be; a receipt's use always. What was erased is not
    known any more and does not count.

    Args:
        database: The ledger's.
        now: The time; aware.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    told: dict[str, str] = {}
    for _, content in _contents(database, OUTCOME, now):
        outcome = content["outcome"]
        if outcome["event"] in {"shown", "not_shown"}:
            told[outcome["decision_id"]] = outcome["event"]
    for at, content in _contents(database, DECISION, now):
        reservation = content["answer"].get("reservation")
        if not reservation or not reservation["uses"]:
            continue
        event = told.get(reservation["id"])
        given_back_at = dt.datetime.fromisoformat(reservation["given_back_at"])
        if event == "not_shown" or (event is None and given_back_at <= now):
            continue
        yield _use(reservation, at, None if event == "shown" else given_back_at)
    for at, content in _contents(database, RECEIPT, now):
        reservation = content.get("reservation")
        if reservation and reservation["uses"]:
            yield _use(reservation, at, None)


async def rebuild(
    store: CapStore, database: Database, now: dt.datetime, deadline_seconds: float
) -> tuple[int, int]:
    """Count all past uses in *store*; what is counted there already is left alone.

    Args:
        store: Where to count.
        database: The ledger's.
        now: The time; aware.
        deadline_seconds: Longest time that one question to the store may take.

    Returns:
        How many reservations were looked at, and of how many something was missing.

    Raises:
        LedgerUnavailable: The ledger does not answer.
        StoreUnavailable: The store does not. Counting may be begun again.
    """
    seen = missing = 0
    for past in past_uses(database, now):
        seen += 1
        missing += await store.restore(past, now, deadline_seconds)
    return seen, missing


def _contents(
    database: Database, kind: str, now: dt.datetime
) -> Iterator[tuple[dt.datetime, Mapping[str, Any]]]:
    since = to_microseconds(now - LONGEST_WINDOW)
    wanted = (
        sa.select(ENTRIES.c.at_us, CONTENTS.c.content)
        .join(CONTENTS, CONTENTS.c.seq == ENTRIES.c.seq)
        .where(ENTRIES.c.kind == kind, ENTRIES.c.at_us >= since, CONTENTS.c.content.is_not(None))
        .order_by(ENTRIES.c.seq)
    )
    with database.reading() as connection:
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(wanted):
            yield from_microseconds(row.at_us), orjson.loads(row.content)


def _use(reservation: Mapping[str, Any], at: dt.datetime, given_back_at: dt.datetime | None) -> PastUse:
    uses = tuple((use["key"], use["amount"], use["window_seconds"]) for use in reservation["uses"])
    return PastUse(reservation["id"], at, given_back_at, uses)
