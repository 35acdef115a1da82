"""Promotes and demotes: the figures are read from the ledger, judged by the policy's rule, and written with the change.

Times are the service's. What counts ends with the newest decision, and a change is never dated before it, so that
weeks are only those that the ledger has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serving.autonomy.figures import together
from serving.autonomy.history import read_histories, span_of_decisions
from serving.autonomy.promotion import broken, limits, missing
from serving.decisions.autonomy import effective_level, is_person, level_below, next_level, reaches
from serving.errors import LedgerError
from serving.ledger.autonomy import Change, record_change, standing_of, standings
from serving.ledger.documents import Document, put_documents
from serving.ledger.transaction import Transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from serving.autonomy.figures import History, Week
    from serving.autonomy.promotion import Missing
    from serving.decisions.autonomy import Level
    from serving.decisions.policy.document import PolicyDocument
    from serving.ledger.autonomy import Standing
    from serving.ledger.database import Database

EVALUATION: Final = "keepgrow:ladder"
"""Who demotes by the figures."""


class NotPromoted(LedgerError):  # noqa: N818 -- names the state that a caller meets
    """An action may not rise now."""

    def __init__(self, action: str, level: Level, lacking: Collection[Missing]) -> None:
        super().__init__(f"{action} stays at {level}: " + "; ".join(one.text for one in lacking))
        self.action = action
        self.level = level
        self.missing = tuple(lacking)


class NotDemoted(LedgerError):  # noqa: N818 -- likewise
    """An action is not above the level that it should fall to."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Where one action stands, and what it has shown there.

    Attributes:
        action: Its key.
        level: The level that holds.
        ceiling: The highest that the policy allows.
        recorded: The same by the ledger; None if it has none, and the policy's start holds.
        history: What is known of it at that level.
        until: The end of what counts.
        whole_weeks: Whole weeks at the level.
        weeks: The last of them, as many as the rule asks for.
        missing: What keeps it from the next level.
        broken: Which limits it has broken within `weeks`.
    """

    action: str
    level: Level
    ceiling: Level
    recorded: Standing | None
    history: History
    until: dt.datetime
    whole_weeks: int
    weeks: tuple[Week, ...]
    missing: tuple[Missing, ...]
    broken: tuple[Missing, ...]

    def figures(self, policy: PolicyDocument) -> dict[str, Any]:
        """Return what a change rests on, as the ledger holds it."""
        rule, whole = policy.autonomy.rule, together(self.weeks)
        ratios = {
            limit.figure: {
                "ratio": limit.ratio.value,
                "interval_95": list(limit.ratio.interval_95),
                "limit": limit.bound,
            }
            for limit in limits(rule, self.level, whole)
        }
        return {
            "since": self.history.since.isoformat(),
            "until": self.until.isoformat(),
            "whole_weeks": self.whole_weeks,
            "rule": rule.model_dump(mode="json"),
            "weeks": [week.to_dict() for week in self.weeks],
            "together": {**whole.to_dict(), "ratios": ratios},
            "broken": [one.to_dict() for one in self.broken],
        }


def read_ladder(
    database: Database, policy: PolicyDocument, actions: Collection[str], now: dt.datetime
) -> dict[str, Rung]:
    """Return where each of *actions* stands, by its key, and what it has shown.

    Args:
        database: The ledger's.
        policy: The policy in force.
        actions: Keys of the catalogue's actions.
        now: The time; aware. What counts ends here, or with the newest decision if that is earlier.

    Raises:
        LedgerError: The ledger lacks a document, or its table of levels is not what its entries say.
    """
    autonomy, rule = policy.autonomy, policy.autonomy.rule
    with database.reading() as connection, database.reading() as documents:
        recorded = standings(Transaction(documents))
        stored = {action: standing.level for action, standing in recorded.items()}
        span = span_of_decisions(documents)
        until = now if span is None else min(now, span[1])
        levels = {action: effective_level(autonomy, stored, action) for action in actions}
        histories = read_histories(connection, documents, levels, recorded, until=until, weeks=rule.weeks)
    rungs = {}
    for action, level in levels.items():
        history, ceiling = histories[action], autonomy.ceiling_of(action)
        whole, weeks = history.whole_weeks(until), history.weeks(until, rule.weeks)
        rungs[action] = Rung(
            action=action,
            level=level,
            ceiling=ceiling,
            recorded=recorded.get(action),
            history=history,
            until=until,
            whole_weeks=whole,
            weeks=tuple(weeks),
            missing=tuple(missing(rule, level, ceiling, whole, weeks)),
            broken=tuple(broken(rule, level, weeks)),
        )
    return rungs


def promote(database: Database, policy: PolicyDocument, action: str, *, by: str, now: dt.datetime) -> Change:
    """Raise *action* by one level, on record, if the rule lets it.

    Args:
        database: The ledger's.
        policy: The policy in force.
        action: Key of the action.
        by: The person who answers for it.
        now: The time; aware.

    Raises:
        NotPromoted: With everything that is missing; nothing was written.
        LevelsChanged: Somebody else changed the level meanwhile; likewise.
        LedgerError: *by* names no person, or the ledger can't be judged.
    """
    _require_person(by)
    rung = read_ladder(database, policy, [action], now)[action]
    above = next_level(rung.level)
    if rung.missing or above is None:
        raise NotPromoted(action, rung.level, rung.missing)
    change = Change(action, rung.level, above, by, "", policy.hash, rung.figures(policy))
    _write(database, policy, change, rung.recorded, now)
    return change


def demote(
    database: Database,
    policy: PolicyDocument,
    action: str,
    to: Level,
    *,
    by: str,
    reason: str,
    now: dt.datetime,
) -> Change:
    """Lower *action* to a level at once; it asks for no figures, and may go past several levels.

    Args:
        database: The ledger's.
        policy: The policy in force.
        action: Key of the action.
        to: The level.
        by: The person who asks.
        reason: Why, in that person's words.
        now: The time; aware.

    Raises:
        NotDemoted: The action is not above that level.
        LevelsChanged: Somebody else changed the level meanwhile.
        LedgerError: *by* names no person.
    """
    _require_person(by)
    with database.reading() as connection:
        recorded = standing_of(Transaction(connection), action)
    before = policy.autonomy.start_of(action) if recorded is None else recorded.level
    if reaches(to, before):
        raise NotDemoted(f"{action} is at {before}: to lower it, name a level below that, and not {to}")
    change = Change(action, before, to, by, reason, policy.hash, {})
    _write(database, policy, change, recorded, now)
    return change


def demote_by_figures(database: Database, policy: PolicyDocument, rung: Rung, now: dt.datetime) -> Change:
    """Lower the action of *rung* by one level, because of the limits that it has broken.

    Raises:
        NotDemoted: It has broken none, or is at the lowest level.
        LevelsChanged: Somebody else changed the level meanwhile.
    """
    below = level_below(rung.level)
    if not rung.broken or below is None:
        raise NotDemoted(f"{rung.action} has broken no limit, or is at the lowest level")
    reason = "; ".join(one.text for one in rung.broken)
    change = Change(rung.action, rung.level, below, EVALUATION, reason, policy.hash, rung.figures(policy))
    _write(database, policy, change, rung.recorded, now)
    return change


def _write(
    database: Database, policy: PolicyDocument, change: Change, expected: Standing | None, now: dt.datetime
) -> None:
    """Write *change*, and the policy that it names, in one transaction."""
    with database.writing() as connection:
        span = span_of_decisions(connection)
        at = now if span is None else max(now, span[1])
        put_documents(connection, [Document("policy", policy.hash, policy.model_dump(mode="json"))])
        record_change(Transaction(connection), change, expected=expected, at=at)


def _require_person(by: str) -> None:
    if not by.strip() or not is_person(by.strip()):
        raise LedgerError(f"{by!r} is no person: a change of level needs the name of who answers for it")
