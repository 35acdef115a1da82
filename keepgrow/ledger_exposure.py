"""Who gets actions, and what comes of it, by groups of accounts: exposure, complaints, reversals and their parity.

Counts come from the ledger alone. An account belongs to the group that its last decision's frame names.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from keepgrow.ledger_events import entries
from serving.actions.apply import RECEIPT
from serving.actions.fairness import LEAST_RATIO
from serving.actions.receipts import ROLLBACK
from serving.ledger.database import Database
from serving.ledger.decisions import DECISION
from serving.ledger.outcomes import OUTCOME, SEEN
from serving.wilson import Ratio

if TYPE_CHECKING:
    from keepgrow.ledger import Attribute
    from serving.ledger.entry import Entry

NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of accounts.

    Attributes:
        name: Its value of the attribute.
        exposed: Accounts that a decision proposed an action for, of those decided about.
        complained: Decisions that were complained of, of those that somebody saw.
        reversed: Applications that were undone, of all.
        surely_less_exposed: Whether even the upper end of its exposure lies under four fifths of the lower end of the
            most exposed group's.
        surely_more_complaints: Whether the lower end of its complaints lies over the upper end of some other group's.
    """

    name: str
    exposed: Ratio
    complained: Ratio
    reversed: Ratio
    surely_less_exposed: bool = False
    surely_more_complaints: bool = False


@dataclass(slots=True)
class _Seen:
    """Ids of what was seen of one group."""

    accounts: set[str] = field(default_factory=set)
    exposed: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    complained: set[str] = field(default_factory=set)
    applied: set[str] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)


def exposure(database: Database, by: Attribute) -> list[Group]:
    """Return the groups of accounts by an attribute, those with most accounts first.

    Args:
        database: The ledger's.
        by: The attribute, a feature of the decision frame.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    group_of, with_action = _decided(database, by)
    seen: dict[str, _Seen] = defaultdict(_Seen)
    for account_id, name in group_of.items():
        seen[name].accounts.add(account_id)
    for account_id in with_action:
        seen[group_of[account_id]].exposed.add(account_id)

    def group(entry: Entry) -> _Seen:
        return seen[group_of.get(entry.account_id or "", NOT_KNOWN)]

    for entry in entries(database, OUTCOME):
        outcome = entry.content["outcome"]
        if outcome["event"] in SEEN:
            group(entry).shown.add(outcome["decision_id"])
        if outcome["event"] == "complained":
            group(entry).complained.add(outcome["decision_id"])
    for entry in entries(database, RECEIPT):
        group(entry).applied.add(entry.record_id)
    for entry in entries(database, ROLLBACK):
        group(entry).reversed.add(entry.record_id)
    groups = [
        Group(
            name=name,
            exposed=Ratio(len(one.exposed), len(one.accounts)),
            complained=Ratio(len(one.complained), len(one.shown)),
            reversed=Ratio(len(one.reversed & one.applied), len(one.applied)),
        )
        for name, one in seen.items()
    ]
    return sorted(_flagged(groups), key=lambda one: (-one.exposed.of, one.name))


def _decided(database: Database, by: Attribute) -> tuple[dict[str, str], set[str]]:
    """Return the group of each account that was decided about, and the accounts that were proposed an action."""
    group_of: dict[str, str] = {}
    with_action: set[str] = set()
    for entry in entries(database, DECISION):
        if entry.account_id is None:
            continue
        group_of[entry.account_id] = str(entry.content["frame"]["features"].get(by) or NOT_KNOWN)
        if entry.content["answer"]["action"] is not None:
            with_action.add(entry.account_id)
    return group_of, with_action


def _flagged(groups: list[Group]) -> list[Group]:
    most = max((one.exposed.interval_95[0] for one in groups if one.exposed.of), default=0.0)
    fewest = min((one.complained.interval_95[1] for one in groups if one.complained.of), default=1.0)
    return [
        replace(
            one,
            surely_less_exposed=bool(one.exposed.of) and one.exposed.interval_95[1] < LEAST_RATIO * most,
            surely_more_complaints=bool(one.complained.of) and one.complained.interval_95[0] > fewest,
        )
        for one in groups
    ]
