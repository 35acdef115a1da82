"""What came of decisions: outcomes, each joined to its decision, written once however often it is sent."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import orjson

from serving.errors import EntryExists, LedgerError
from serving.ledger.decisions import DECISION
from serving.ledger.entry import Entry
from serving.ledger.rejections import suppress
from serving.ledger.tables import DECISION_OUTCOMES, ENTRIES
from serving.ledger.transaction import entries_with_content, entry_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.ledger.transaction import Transaction

OUTCOME: Final = "outcome"
Event = Literal[
    "shown",
    "not_shown",
    "clicked",
    "accepted",
    "rejected",
    "converted",
    "reversed",
    "complained",
    "reactivated",
    "lost",
]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
SEEN: Final = frozenset({"shown", "clicked", "accepted", "rejected", "complained"})
"""Events that nobody brings about who has not been shown the action."""
OF_ACTIONS: Final = SEEN | {"not_shown", "reversed"}
"""Events of an action; the others are of the account and come after decisions for nothing too."""


class UnknownDecision(LedgerError):  # noqa: N818 -- names the state that a caller meets
    """The ledger holds no decision with this id."""

    def __init__(self, decision_id: str) -> None:
        super().__init__(f"the ledger holds no decision {decision_id!r}")


class UnknownActionOfDecision(LedgerError):  # noqa: N818 -- names the state that a caller meets
    """The decision did not propose the action that an outcome speaks of."""

    def __init__(self, event: Event, action: str | None, proposed: list[str]) -> None:
        shown = ", ".join(proposed) or "none"
        super().__init__(
            f"`{event}` is of an action that the decision proposed ({shown}), not of {action or 'nothing'}"
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a decision.

    Attributes:
        decision_id: The decision.
        event: What happened.
        action: Key of the action that it happened to; None for the decision's own.
        at: When; None if the sender does not say.
        reason: Why, in the words of whoever knows.
        extra_mrr: Change of MRR that came with it, in the catalogue's currency.
        outcome_id: The sender's id; None for one made of the content.
    """

    decision_id: str
    event: Event
    action: str | None = None
    at: dt.datetime | None = None
    reason: str | None = None
    extra_mrr: float | None = None
    outcome_id: str | None = None

    @property
    def sent(self) -> dict[str, Any]:
        """What the sender said, as JSON; equal outcomes say equal things."""
        return {
            "decision_id": self.decision_id,
            "event": self.event,
            "action": self.action,
            "at": None if self.at is None else self.at.astimezone(dt.UTC).isoformat(),
            "reason": self.reason,
            "extra_mrr": self.extra_mrr,
        }

    @property
    def record_id(self) -> str:
        """The sender's id, or one made of the content."""
        return self.outcome_id or "out_" + hashlib.sha256(orjson.dumps(self.sent)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """An outcome that the ledger knows.

    Attributes:
        shown: It, as the API shows it.
        reservation: Under what id the action's use of caps is reserved; None if it uses nothing of any.
    """

    shown: Mapping[str, Any]
    reservation: str | None


def record_outcome(
    transaction: Transaction, outcome: Outcome, *, now: dt.datetime, rejection_days: int
) -> RecordedOutcome:
    """Write *outcome*, unless it is there, and return it as the ledger holds it.

    Args:
        transaction: Where to write.
        outcome: What came of a decision.
        now: When it was received, and when it happened if it does not say.
        rejection_days: How long a rejected action is not proposed to the account again.

    Raises:
        UnknownDecision: There is no such decision.
        UnknownActionOfDecision: The decision proposed no such action.
        EntryErased: The decision's or the outcome's content was emptied.
        EntryExists: The sender's id stands for another outcome.
    """
    decision = transaction.get(DECISION, outcome.decision_id)
    if decision is None:
        raise UnknownDecision(outcome.decision_id)
    answer = decision.content["answer"]
    action = _action(outcome, answer)
    own = action is not None and action == (answer["action"] or {}).get("key")
    reservation = (answer.get("reservation") or {}).get("id") if own else None
    known = transaction.get(OUTCOME, outcome.record_id)
    if known is not None:
        if known.content["sent"] == outcome.sent:
            return RecordedOutcome(known.content["outcome"], reservation)
        raise EntryExists(OUTCOME, outcome.record_id)
    at = outcome.at or now
    until = at + dt.timedelta(days=rejection_days)
    suppresses = outcome.event == "rejected" and action is not None and decision.account_id is not None
    shown = {
        "outcome_id": outcome.record_id,
        "decision_id": outcome.decision_id,
        "account_id": decision.account_id,
        "event": outcome.event,
        "action": action,
        "at": at.astimezone(dt.UTC).isoformat(),
        "reason": outcome.reason,
        "extra_mrr": outcome.extra_mrr,
        "not_proposed_before": until.astimezone(dt.UTC).isoformat() if suppresses else None,
        "received_at": now.isoformat(),
    }
    content = {"sent": outcome.sent, "outcome": shown}
    transaction.add(Entry(OUTCOME, outcome.record_id, decision.account_id, at, content))
    transaction.connection.execute(
        DECISION_OUTCOMES.insert().values(outcome_id=outcome.record_id, decision_id=outcome.decision_id)
    )
    if suppresses and action is not None and decision.account_id is not None:
        suppress(transaction, decision.account_id, action, until)
    return RecordedOutcome(shown, reservation)


def outcomes_of(transaction: Transaction, decision_id: str, limit: int) -> list[dict[str, Any]]:
    """Return what came of a decision as the API shows it, in the order of the ledger, without what was emptied.

    Args:
        transaction: Where to read.
        decision_id: The decision.
        limit: Most outcomes; of more, the newest.
    """
    wanted = (
        entries_with_content(OUTCOME)
        .join(DECISION_OUTCOMES, DECISION_OUTCOMES.c.outcome_id == ENTRIES.c.record_id)
        .where(DECISION_OUTCOMES.c.decision_id == decision_id)
        .order_by(ENTRIES.c.seq.desc())
        .limit(limit)
    )
    rows = transaction.connection.execute(wanted).all()
    return [entry_of(row).content["outcome"] for row in reversed(rows)]


def _action(outcome: Outcome, answer: Mapping[str, Any]) -> str | None:
    """Return the action that *outcome* is of: the named one, or the decision's."""
    winner = answer["action"]
    proposed = [winner["key"]] if winner else []
    proposed += [alternative["action"]["key"] for alternative in answer["alternatives"]]
    if outcome.action is not None:
        if outcome.action not in proposed:
            raise UnknownActionOfDecision(outcome.event, outcome.action, proposed)
        return outcome.action
    if winner is None:
        if outcome.event in OF_ACTIONS:
            raise UnknownActionOfDecision(outcome.event, None, proposed)
        return None
    return str(winner["key"])
