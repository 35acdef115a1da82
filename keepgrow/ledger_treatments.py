"""Turns decisions and their outcomes into the raw table `treatments`: draws with their chances, and what came of them.

Holdouts, control arms and their lots are draws, and each decision bears the chance of every action that it could have
come to. An action that came is a treatment, with its chance beside that of nothing; nothing that came is a control for
every action that had a chance. So both arms are picked alike, by intention, whether or not the action was shown.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keepgrow.ledger_events import Event, entries, events_by_account, last_end, was_gone
from serving.decisions.arms import NOTHING
from serving.ledger.database import Database
from serving.ledger.decisions import DECISION, read_decision
from serving.ledger.entry import Entry
from serving.ledger.replay import Replayer

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


def write_treatments(
    database: Database, dest: Path, *, window_days: int, now: dt.datetime, silence_is_known: bool = False
) -> Counts:
    """Write the draws of the ledger's decisions, oldest first, as a Parquet file of the raw table `treatments`.

    An account's first draw of a type of action opens a window; further draws of it within the window are the same.
    A decision is left out where chance had no part in it: nothing was possible, or the action was only prepared.

    Args:
        database: The ledger's.
        dest: The file.
        window_days: Days after a draw whose outcomes are its own.
        now: Until when outcomes can be known.
        silence_is_known: Whether silence until a window's end means that nothing was lost, converted or reactivated.

    Raises:
        LedgerUnavailable: The database does not answer.
        LedgerError: A document that a decision was made by is not there.
    """
    window = dt.timedelta(days=window_days)
    events = events_by_account(database)
    rows: list[dict[str, Any]] = []
    open_until: dict[tuple[str, str], dt.datetime] = {}
    skipped = 0
    for entry, draws in _draws(database):
        fresh = [
            one
            for one in draws
            if entry.at >= open_until.get((entry.account_id or "", one.action_type), entry.at)
        ]
        skipped += not fresh
        for one in fresh:
            account_id = str(entry.account_id)
            open_until[account_id, one.action_type] = entry.at + window
            seen = [event for event in events[account_id] if entry.at <= event.at < entry.at + window]
            known_by_silence = silence_is_known and entry.at + window <= now
            rows.append(
                {
                    "treatment_id": f"{entry.record_id}:{one.action_type}",
                    "account_id": account_id,
                    "treated_at": entry.at,
                    "action": one.action_type,
                    "arm": "treated" if one.treated else "held_out",
                    "propensity": one.propensity,
                    **_outcome(seen, entry.at + window if known_by_silence else None, gone=was_gone(entry)),
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
    """That an action of a type was drawn or nothing was, and the chance of that, one of the two being given."""

    action_type: str
    treated: bool
    propensity: float


def _draws(database: Database) -> Iterator[tuple[Entry, list[_Draw]]]:
    """Yield each decision with what was drawn; nothing where chance had no part."""
    with database.reading() as connection:
        replayer = Replayer(connection)
        for entry in entries(database, DECISION):
            frame, _ = read_decision(entry)
            answer = entry.content["answer"]
            if entry.account_id is None or answer.get("draw") is None:
                yield entry, []
                continue
            types = {
                action.key: action.type
                for action in replayer.rules(frame, answer["policy"], answer["catalogue"]).catalogue.actions
            }
            yield entry, drawn_of(answer, types)


def drawn_of(answer: Mapping[str, Any], types: Mapping[str, str]) -> list[_Draw]:
    """Return the draws of a decision's *answer*, by type of action.

    Args:
        answer: The decision as the API shows it.
        types: Type of each of the catalogue's actions, by key.
    """
    chances = dict(answer["draw"]["propensities"])
    nothing = chances.pop(NOTHING, 0.0)
    by_type: dict[str, float] = defaultdict(float)
    for key, chance in chances.items():
        by_type[types[key]] += chance
    action = answer["action"]
    if action is None:
        return [_Draw(kind, False, nothing / (nothing + chance)) for kind, chance in by_type.items()]
    if action["mode"] == "draft":
        return []
    chance = by_type[action["type"]]
    return [_Draw(action["type"], True, chance / (nothing + chance))]


def _outcome(seen: list[Event], silent_until: dt.datetime | None, *, gone: bool) -> dict[str, Any]:
    """Return the columns of an outcome; those that nothing is known of are null.

    Args:
        seen: What happened within the window.
        silent_until: Its end if silence until then is known, else None.
        gone: Whether the account had no subscription at the draw: then silence means that it did not come back.
    """
    seen = sorted(seen, key=lambda one: one.at)
    sales = [one for one in seen if one.event == "converted"]
    retained = last_end(seen)
    expanded: bool | None = True if sales else None
    if silent_until is not None:
        retained = not gone if retained is None else retained
        expanded = bool(expanded)
    extra = sum(one.extra_mrr or 0.0 for one in sales) if sales else None
    last = seen[-1].at if seen else None
    return {
        "outcome_at": silent_until or last,
        "outcome_retained": retained,
        "outcome_expanded": expanded,
        "outcome_extra_mrr": 0.0 if extra is None and silent_until is not None else extra,
    }
