"""Reads the ledger from its beginning: entries of a kind, and what tells whether accounts stayed and grew."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from serving.ledger.database import Database
from serving.ledger.entry import Entry
from serving.ledger.outcomes import OUTCOME
from serving.ledger.tables import ENTRIES
from serving.ledger.transaction import entries_with_content, entry_of

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Event:
    """That an account was lost, came back, or expanded by so much MRR."""

    at: dt.datetime
    event: str
    extra_mrr: float | None


def events_by_account(database: Database) -> dict[str, list[Event]]:
    """Return by account what tells whether it stayed and grew."""
    events: dict[str, list[Event]] = defaultdict(list)
    for entry in entries(database, OUTCOME):
        outcome = entry.content["outcome"]
        if entry.account_id is not None and outcome["event"] in {"lost", "converted", "reactivated"}:
            events[entry.account_id].append(Event(entry.at, outcome["event"], outcome["extra_mrr"]))
    return events


def was_gone(decision: Entry) -> bool:
    """Return whether the account of a decision's entry had no subscription when it was made."""
    return decision.content["frame"]["features"].get("has_active_subscription") is False


def last_end(seen: Iterable[Event]) -> bool | None:
    """Return whether an account had a subscription after the last event that says so; None if none does."""
    ends = [one for one in sorted(seen, key=lambda one: one.at) if one.event in {"lost", "reactivated"}]
    return ends[-1].event == "reactivated" if ends else None


def entries(database: Database, kind: str) -> Iterator[Entry]:
    """Yield the entries of *kind* that are not emptied, oldest first."""
    wanted = entries_with_content(kind).order_by(ENTRIES.c.seq)
    with database.reading() as connection:
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(wanted):
            yield entry_of(row)
