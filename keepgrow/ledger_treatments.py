"""Turns decisions and their outcomes into the raw table `treatments`: draws with their chances, and what came of them.

The draw is the holdout: chance decides whether the account gets the action that would be best for it. Which one that
is for an account that was held out comes from deciding again without holdouts; so both arms are picked alike, by
intention, whether or not the action was shown.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from serving.decisions.holdouts import Holdouts
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.ledger.database import Database
from serving.ledger.decisions import DECISION, read_decision
from serving.ledger.entry import Entry
from serving.ledger.outcomes import OUTCOME
from serving.ledger.replay import Replayer
from serving.ledger.tables import CONTENTS, ENTRIES
from serving.ledger.transaction import entry_of

ROWS_AT_ONCE = 500
SCHEMA = pa.schema(
    [
        ("treatment_id", pa.string()),
        ("account_id", pa.string()),
        ("treated_at", pa.timestamp("us", tz="UTC")),
        ("action", pa.string()),
        ("arm", pa.string()),
        ("propensity", pa.float64()),
        ("outcome_at", pa.timestamp("us", tz="UTC")),
        ("outcome_retained", pa.bool_()),
        ("outcome_expanded", pa.bool_()),
        ("outcome_extra_mrr", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was written: rows by arm, rows with an outcome, and decisions that are no draws."""

    treated: int
    held_out: int
    with_outcome: int
    skipped: int

    @property
    def rows(self) -> int:
        """All rows."""
        return self.treated + self.held_out


@dataclass(frozen=True, slots=True)
class _Event:
    at: dt.datetime
    event: str
    extra_mrr: float | None


def write_treatments(
    database: Database, dest: Path, *, window_days: int, now: dt.datetime, silence_is_known: bool = False
) -> Counts:
    """Write the draws of the ledger's decisions, oldest first, as a Parquet file of the raw table `treatments`.

    An account's first decision for an action opens a window; further decisions for it within the window are the
    same draw. A decision for nothing is no draw, unless the holdout is why.

    Args:
        database: The ledger's.
        dest: The file.
        window_days: Days after a draw whose outcomes are its own.
        now: Until when outcomes can be known.
        silence_is_known: Whether silence until a window's end means that nothing was lost or converted.

    Raises:
        LedgerUnavailable: The database does not answer.
        LedgerError: A document that a decision was made by is not there.
    """
    window = dt.timedelta(days=window_days)
    events = _events(database)
    rows: list[dict[str, Any]] = []
    open_until: dict[tuple[str, str], dt.datetime] = {}
    skipped = 0
    for entry, drawn in _draws(database):
        if drawn is None or entry.account_id is None:
            skipped += 1
            continue
        key = (entry.account_id, drawn.action_type)
        if entry.at < open_until.get(key, entry.at):
            skipped += 1
            continue
        open_until[key] = entry.at + window
        seen = [one for one in events[entry.account_id] if entry.at <= one.at < entry.at + window]
        known_by_silence = silence_is_known and entry.at + window <= now
        rows.append(
            {
                "treatment_id": entry.record_id,
                "account_id": entry.account_id,
                "treated_at": entry.at,
                "action": drawn.action_type,
                "arm": "held_out" if drawn.held_out else "treated",
                "propensity": drawn.chance_held_out if drawn.held_out else 1.0 - drawn.chance_held_out,
                **_outcome(seen, entry.at + window if known_by_silence else None),
            }
        )
    dest.parent.mkdir(parents=True, exist_ok=True)
    partial = dest.with_name(f".{dest.name}.{os.getpid()}")
    try:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), partial)
        partial.replace(dest)
    finally:
        partial.unlink(missing_ok=True)
    held_out = sum(row["arm"] == "held_out" for row in rows)
    return Counts(
        treated=len(rows) - held_out,
        held_out=held_out,
        with_outcome=sum(row["outcome_at"] is not None for row in rows),
        skipped=skipped,
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    action_type: str
    held_out: bool
    chance_held_out: float


def _draws(database: Database) -> Iterator[tuple[Entry, _Draw | None]]:
    """Yield each decision with what was drawn, or None where nothing was."""
    open_policies: dict[tuple[str, str], Policy] = {}
    with database.reading() as connection:
        replayer = Replayer(connection)
        for entry in _entries(database, DECISION):
            frame, _ = read_decision(entry)
            answer = entry.content["answer"]
            rules = replayer.rules(frame, answer["policy"], answer["catalogue"])
            holdouts = rules.policy.holdouts
            key = (answer["policy"], frame.feature_contract)
            if key not in open_policies:
                document = rules.policy.document.model_copy(update={"holdouts": Holdouts()})
                open_policies[key] = Policy(document, rules.fields)
            best = decide(frame, rules.catalogue, open_policies[key]).winner
            if best is None:
                yield entry, None
                continue
            programme = holdouts.programmes.get(best.action.playbook or "", 0.0)
            chance = 1.0 - (1.0 - holdouts.share) * (1.0 - programme)
            held = holdouts.of(frame.account_id)
            held_out = "global" in held or best.action.playbook in held
            if not held_out and (answer["action"] or {}).get("key") != best.action.key:
                yield entry, None  # a programme's holdout took another action away: no draw of this one
                continue
            yield entry, _Draw(best.action.type, held_out, chance)


def _events(database: Database) -> dict[str, list[_Event]]:
    """Return by account what tells whether it stayed and grew."""
    events: dict[str, list[_Event]] = defaultdict(list)
    for entry in _entries(database, OUTCOME):
        outcome = entry.content["outcome"]
        if entry.account_id is not None and outcome["event"] in {"lost", "converted", "reactivated"}:
            events[entry.account_id].append(_Event(entry.at, outcome["event"], outcome["extra_mrr"]))
    return events


def _outcome(seen: list[_Event], silent_until: dt.datetime | None) -> dict[str, Any]:
    """Return the columns of an outcome; those that nothing is known of are null."""
    seen = sorted(seen, key=lambda one: one.at)
    ends = [one for one in seen if one.event in {"lost", "reactivated"}]
    sales = [one for one in seen if one.event == "converted"]
    retained: bool | None = ends[-1].event == "reactivated" if ends else None
    expanded: bool | None = True if sales else None
    if silent_until is not None:
        retained = True if retained is None else retained
        expanded = bool(expanded)
    extra = sum(one.extra_mrr or 0.0 for one in sales) if sales else None
    last = seen[-1].at if seen else None
    return {
        "outcome_at": silent_until or last,
        "outcome_retained": retained,
        "outcome_expanded": expanded,
        "outcome_extra_mrr": 0.0 if extra is None and silent_until is not None else extra,
    }


def _entries(database: Database, kind: str) -> Iterator[Entry]:
    """Yield the entries of *kind* that are not emptied, oldest first."""
    wanted = (
        sa.select(
            ENTRIES.c.kind, ENTRIES.c.record_id, ENTRIES.c.at_us, CONTENTS.c.account_id, CONTENTS.c.content
        )
        .join(CONTENTS, CONTENTS.c.seq == ENTRIES.c.seq)
        .where(ENTRIES.c.kind == kind, CONTENTS.c.content.is_not(None))
        .order_by(ENTRIES.c.seq)
    )
    with database.reading() as connection:
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(wanted):
            yield entry_of(row)
