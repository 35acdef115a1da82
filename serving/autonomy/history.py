"""Reads from the ledger what actions have shown at the levels where they stand.

Each decision tells the level that held when it was made: its frame has the levels of the ledger, its policy the rest.
Only decisions at the present level count, and a decision at another one begins the time at it anew. So neither a
policy that moves the start of an action nor a ceiling that comes and goes makes up any time.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
import sqlalchemy as sa

from serving.actions.apply import RECEIPT
from serving.actions.receipts import ROLLBACK
from serving.actions.tables import OUTBOX
from serving.actions.types import DraftError, Situation, draft
from serving.autonomy.figures import WEEK, Applied, History, Proposed
from serving.decisions.autonomy import IN_SHADOW, ONLY_SUGGESTED, effective_level
from serving.decisions.policy.document import PolicyDocument
from serving.ledger.decisions import DECISION, read_decision
from serving.ledger.documents import get_document
from serving.ledger.entry import from_microseconds, to_microseconds
from serving.ledger.outcomes import OUTCOME
from serving.ledger.replay import Replayer
from serving.ledger.tables import ENTRIES
from serving.ledger.transaction import entries_with_content, entry_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from serving.decisions.autonomy import Level
    from serving.decisions.frame import DecisionFrame
    from serving.ledger.autonomy import Standing
    from serving.ledger.entry import Entry

ROWS_AT_ONCE: Final = 500
LAG: Final = dt.timedelta(minutes=1)
"""For so long after a change, decisions by the former level are no break: processes read levels every few seconds."""


@dataclass(slots=True)
class Reader:
    """Gathers what happened, from the newest entry to the oldest, so that what came of a thing is known before it.

    Attributes:
        levels: Where each action stands now.
        recorded: The same, of those that the ledger has a level of.
        began: The first decision of the ledger.
        replayer: Has the rules of past decisions.
        given_up: Receipts of which an effect was given up.
    """

    levels: Mapping[str, Level]
    recorded: Mapping[str, Standing]
    began: dt.datetime
    replayer: Replayer
    given_up: Collection[str]
    histories: dict[str, History] = field(init=False)
    _broken: set[str] = field(default_factory=set)
    _events: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _undone: set[str] = field(default_factory=set)
    _by_decision: set[tuple[str, str]] = field(default_factory=set)
    _levels_then: dict[bytes, Mapping[str, Level]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the times of the last changes."""
        self.histories = {
            key: History(self.recorded[key].since if key in self.recorded else self.began)
            for key in self.levels
        }

    def take(self, entry: Entry) -> None:
        """Count *entry*, which is older than all before."""
        content = entry.content
        if entry.kind == OUTCOME:
            outcome = content["outcome"]
            if outcome["action"] is not None:
                self._events[outcome["decision_id"], outcome["action"]].add(outcome["event"])
        elif entry.kind == ROLLBACK:
            self._undone.add(entry.record_id)
        elif entry.kind == RECEIPT:
            self._take_receipt(entry)
        elif entry.kind == DECISION:
            self._take_decision(entry)

    def _take_receipt(self, entry: Entry) -> None:
        key = entry.content["action"]["action_key"]
        source = entry.content["source"]
        undone = entry.record_id in self._undone
        if source["kind"] == DECISION:
            self._by_decision.add((source["id"], key))
            undone = undone or "reversed" in self._events.get((source["id"], key), ())
        if self._counts(key, entry.at):
            application = Applied(entry.at, undone, entry.record_id in self.given_up)
            self.histories[key].applications.append(application)

    def _take_decision(self, entry: Entry) -> None:
        then = self._levels_at(entry)
        for key, level in self.levels.items():
            if then[key] != level and self._counts(key, entry.at) and not self._within_lag(key, entry.at):
                self.histories[key].since = entry.at
                self._broken.add(key)
        proposed = [key for key in _proposed(entry.content["answer"]) if self._counts(key, entry.at)]
        proposed = [key for key in proposed if then[key] == self.levels[key]]
        if not proposed:
            return
        frame, _ = read_decision(entry)
        for key in proposed:
            events = frozenset(self._events.get((entry.record_id, key), ()))
            valid = self._drafts(frame, entry.content["answer"], key)
            history = self.histories[key]
            history.proposals.append(Proposed(entry.at, frame.account_id, valid, events))
            if "reversed" in events and (entry.record_id, key) not in self._by_decision:
                history.applications.append(Applied(entry.at, undone=True))  # by a way that left no receipt

    def _counts(self, key: str, at: dt.datetime) -> bool:
        return key in self.histories and key not in self._broken and at >= self.histories[key].since

    def _within_lag(self, key: str, at: dt.datetime) -> bool:
        return key in self.recorded and at < self.recorded[key].since + LAG

    def _levels_at(self, entry: Entry) -> Mapping[str, Level]:
        """Return the level of each action by which the decision of *entry* was made."""
        policy, recorded = entry.content["answer"]["policy"], entry.content["frame"].get("autonomy") or {}
        name = orjson.dumps([policy, recorded])
        if name not in self._levels_then:
            document = get_document(self.replayer.connection, "policy", policy).content
            autonomy = PolicyDocument.model_validate(document).autonomy
            self._levels_then[name] = {key: effective_level(autonomy, recorded, key) for key in self.levels}
        return self._levels_then[name]

    def _drafts(self, frame: DecisionFrame, answer: Mapping[str, Any], key: str) -> bool:
        """Return whether the action can be written out for that account, by the catalogue of that time, faultlessly."""
        catalogue = self.replayer.catalogue(answer["catalogue"])
        situation = Situation(frame, catalogue, catalogue.actions_by_key[key])
        try:
            return not draft(situation).every_fault(situation)
        except DraftError:
            return False


def _proposed(answer: Mapping[str, Any]) -> list[str]:
    """Return the actions that a decision proposed, and those that only the ladder kept it from proposing."""
    found = [] if answer["action"] is None else [answer["action"]["key"]]
    found += [one["action"]["key"] for one in answer["alternatives"]]
    return found + [one["action"] for one in answer["refused"] if one["rule"] in {IN_SHADOW, ONLY_SUGGESTED}]


def span_of_decisions(connection: sa.Connection) -> tuple[dt.datetime, dt.datetime] | None:
    """Return when the first and the newest decision of the ledger were made, or None if there is none."""
    at = ENTRIES.c.at_us
    wanted = sa.select(sa.func.min(at), sa.func.max(at)).where(ENTRIES.c.kind == DECISION)
    first, last = connection.execute(wanted).one()
    return None if first is None else (from_microseconds(first), from_microseconds(last))


def read_histories(
    connection: sa.Connection,
    documents: sa.Connection,
    levels: Mapping[str, Level],
    recorded: Mapping[str, Standing],
    *,
    until: dt.datetime,
    weeks: int,
) -> dict[str, History]:
    """Return what each action has shown at the level where it stands, for its last whole weeks.

    Args:
        connection: Reads entries.
        documents: Another connection to the same database, which reads policies and catalogues meanwhile.
        levels: Where actions stand, by key.
        recorded: The same as the ledger has it, of those of which it has it.
        until: Nothing later counts; aware.
        weeks: How many whole weeks are wanted.

    Raises:
        LedgerError: A document that a decision was made by is not there.
    """
    span = span_of_decisions(connection)
    began = until if span is None else span[0]
    dead = sa.select(OUTBOX.c.receipt_id).where(OUTBOX.c.state == "dead").distinct()
    given_up = {row.receipt_id for row in connection.execute(dead)}
    reader = Reader(levels, recorded, began, Replayer(documents), given_up)
    start_us = to_microseconds(until - (weeks + 1) * WEEK)
    first = sa.select(sa.func.min(ENTRIES.c.seq)).where(
        ENTRIES.c.kind.in_((DECISION, RECEIPT)), ENTRIES.c.at_us >= start_us
    )
    wanted = (
        entries_with_content(DECISION, RECEIPT, ROLLBACK, OUTCOME)
        .where(ENTRIES.c.seq >= first.scalar_subquery())
        .order_by(ENTRIES.c.seq.desc())
    )
    for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(wanted):
        entry = entry_of(row)
        if entry.kind in {OUTCOME, ROLLBACK} or entry.at <= until:
            reader.take(entry)
    return reader.histories
