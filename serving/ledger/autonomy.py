"""Levels of autonomy on record: each change is an entry with the figures it rests on, and is in force within seconds.

The table of levels follows from these entries and is written in their transactions; decisions read the table.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from serving.decisions.autonomy import FIRST, LEVELS, Level
from serving.errors import LedgerError
from serving.ledger.entry import Entry, from_microseconds, to_microseconds
from serving.ledger.tables import AUTONOMY_LEVELS, ENTRIES
from serving.ledger.transaction import Transaction, entries_with_content, entry_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

    from serving.ledger.ledger import Ledger

AUTONOMY: Final = "autonomy"
KEPT_SECONDS: Final = 2.0
"""For how long a process goes on with the levels that it has read: the time until a demotion is in force."""
_SQLITE: Final = "SELECT action, level FROM autonomy_levels ORDER BY action"
_ALL: Final = sa.select(AUTONOMY_LEVELS.c.action, AUTONOMY_LEVELS.c.level).order_by(AUTONOMY_LEVELS.c.action)
_MICROSECOND: Final = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an action stands by the ledger.

    Attributes:
        level: Its level.
        since: When it came there.
    """

    level: Level
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One change of level.

    Attributes:
        action: Key of the action.
        before: The level that held.
        after: The level that holds from now on.
        by: Who changed it: a person, or `keepgrow:ladder` for a demotion by the figures.
        reason: Why, in words; empty for a promotion, whose reason the figures are.
        policy: Hash of the policy whose rule was applied.
        figures: The figures that it rests on, as JSON; empty if a person demoted without any.
    """

    action: str
    before: Level
    after: Level
    by: str
    reason: str
    policy: str
    figures: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it as the ledger holds it."""
        return {
            "action": self.action,
            "from": self.before,
            "to": self.after,
            "by": self.by,
            "reason": self.reason,
            "policy": self.policy,
            "figures": dict(self.figures),
        }


class LevelsChanged(LedgerError):  # noqa: N818 -- names the state that a caller meets
    """Somebody else changed the level of an action meanwhile."""


def standings(transaction: Transaction) -> dict[str, Standing]:
    """Return where each action stands that the ledger has a level of, by key.

    Raises:
        LedgerError: The table of levels is not what the entries say.
    """
    rows = transaction.connection.execute(sa.select(AUTONOMY_LEVELS))
    found = {row.action: Standing(_known(row.level), from_microseconds(row.since_us)) for row in rows}
    _require_entries(transaction, found)
    return found


def standing_of(transaction: Transaction, action: str) -> Standing | None:
    """Return where one action stands, or None if the ledger has no level of it."""
    wanted = sa.select(AUTONOMY_LEVELS).where(AUTONOMY_LEVELS.c.action == action)
    row = transaction.connection.execute(wanted).first()
    return None if row is None else Standing(_known(row.level), from_microseconds(row.since_us))


def record_change(
    transaction: Transaction, change: Change, *, expected: Standing | None, at: dt.datetime
) -> Standing:
    """Write *change* as an entry, and its level where decisions look; return where the action stands then.

    It is never dated before the action's last change, so that no time at a level can be made up.

    Args:
        transaction: Where to write.
        change: The change.
        expected: Where the action stood when the figures were looked at; None if the ledger had no level of it.
        at: When it changes; aware.

    Raises:
        LevelsChanged: The action stands elsewhere by now; nothing was written.
    """
    if standing_of(transaction, change.action) != expected:
        raise LevelsChanged(f"the level of {change.action!r} was changed meanwhile: look at it again")
    since_us = to_microseconds(at)
    if expected is not None:
        since_us = max(since_us, to_microseconds(expected.since) + _MICROSECOND)
    values = {"level": change.after, "since_us": since_us}
    if expected is None:
        transaction.connection.execute(AUTONOMY_LEVELS.insert().values(action=change.action, **values))
    else:
        same = AUTONOMY_LEVELS.c.action == change.action
        transaction.connection.execute(AUTONOMY_LEVELS.update().where(same).values(**values))
    since = from_microseconds(since_us)
    record_id = f"{change.action}:{since_us}"
    transaction.add(Entry(AUTONOMY, record_id, None, since, change.to_dict()))
    return Standing(change.after, since)


def changes(transaction: Transaction) -> list[Entry]:
    """Return every change of level, oldest first, without those that were emptied."""
    wanted = entries_with_content(AUTONOMY).order_by(ENTRIES.c.seq)
    return [entry_of(row) for row in transaction.connection.execute(wanted)]


def recorded_levels(transaction: Transaction) -> dict[str, Level]:
    """Return the level of each action that the ledger has one of, by key, in the order of keys."""
    return _levels(transaction.connection.execute(_ALL))


class Levels:
    """Reads the levels for decisions: those of `KEPT_SECONDS` ago at most."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        """Describe the reader.

        Args:
            ledger: Where levels are kept.
            clock: Seconds that never go back.
        """
        self._ledger = ledger
        self._clock = clock
        self._read_at: float | None = None
        self._levels: Mapping[str, Level] = {}

    async def levels(self) -> Mapping[str, Level]:
        """Return the level of each action that the ledger has one of, by key.

        Raises:
            LedgerUnavailable: The ledger does not answer, and what was read is too old.
        """
        now = self._clock()
        if self._read_at is None or now - self._read_at > KEPT_SECONDS:
            if self._ledger.database.embedded:
                self._levels = _levels(await self._ledger.quick(_SQLITE, ()))
            else:
                self._levels = await self._ledger.look(recorded_levels)
            self._read_at = now
        return self._levels


def _levels(rows: Iterable[Any]) -> dict[str, Level]:
    return {str(action): _known(level) for action, level in rows}


def _known(level: str) -> Level:
    """Return *level*, or the lowest for one that this version does not know."""
    return next((one for one in LEVELS if one == level), FIRST)


def _require_entries(transaction: Transaction, found: Mapping[str, Standing]) -> None:
    """Insist that the table says what the last entry of each action does.

    Raises:
        LedgerError: It does not: somebody wrote to it past the ledger.
    """
    said: dict[str, Standing] = {}
    for entry in changes(transaction):
        said[entry.content["action"]] = Standing(_known(entry.content["to"]), entry.at)
    for action, standing in found.items():
        if action not in said:
            record_id = f"{action}:{to_microseconds(standing.since)}"
            if transaction.has(AUTONOMY, record_id):  # emptied by retention
                continue
        if said.get(action) != standing:
            raise LedgerError(
                f"the table of levels says {standing.level} for {action!r}, and no entry of the ledger does"
            )
    for action in said.keys() - found.keys():
        raise LedgerError(f"the table of levels lacks {action!r}, which the ledger has a level of")
