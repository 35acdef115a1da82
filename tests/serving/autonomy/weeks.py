"""Weeks in the life of a ledger: real decisions on one packaged action, and what comes of them."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from serving.decisions.catalogue import Catalogue, load_catalogue
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument, load_policy
from serving.ledger.autonomy import recorded_levels
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.documents import Document, put_documents
from serving.ledger.entry import Entry, prepare
from serving.ledger.outcomes import Event, Outcome, record_outcome
from serving.ledger.transaction import Transaction
from tests.serving.actions.worlds import account
from tests.serving.decisions.frames import FIELDS

if TYPE_CHECKING:
    from serving.decisions.decision import Decision
    from serving.ledger.database import Database

KEY = "success_call"
BEGINNING = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
CATALOGUE = load_catalogue()
NEVER_QUIET = {"quiet_hours_start": 7, "quiet_hours_end": 7}
ONE_HOUR = {"quiet_hours_start": 13, "quiet_hours_end": 12}
"""Only from 12 to 13 o'clock may the account be called."""
PACKAGED = load_policy().model_dump(mode="json")
SMALL_RULE = {"weeks": 2, "accounts_min": 3, "applied_min": 0, "shown_min": 0}


def policy_of(*, without: tuple[str, ...] = (), **autonomy: Any) -> PolicyDocument:
    """Return the packaged policy without holdouts, arms and some rules, and with this section `autonomy`."""
    section = {"rule": SMALL_RULE, **autonomy}
    rules = [rule for rule in PACKAGED["rules"] if rule["id"] not in without]
    changes = {"holdouts": {"salt": "x", "share": 0.0}, "arms": {}, "autonomy": section, "caps": []}
    return PolicyDocument.model_validate({**PACKAGED, **changes, "rules": rules})


@functools.cache
def _compiled(text: bytes) -> Policy:
    return Policy(PolicyDocument.model_validate_json(text), FIELDS)


def compiled(document: PolicyDocument) -> Policy:
    """Return *document* ready to decide by, compiled once."""
    return _compiled(orjson.dumps(document.model_dump(mode="json")))


def longer_calls() -> Catalogue:
    """Return the packaged catalogue with calls for which an account with `ONE_HOUR` has no time."""
    content = CATALOGUE.model_dump(mode="json")
    for action in content["actions"]:
        if action["key"] == KEY:
            action["parameters"]["duration_minutes"] = 90
    return Catalogue.model_validate(content)


@dataclass(slots=True)
class World:
    """A ledger, the policy in force, and the time.

    Attributes:
        database: The ledger's.
        document: The policy in force.
        catalogue: The catalogue in force.
        now: The time.
        features: What sets the accounts apart.
    """

    database: Database
    document: PolicyDocument
    catalogue: Catalogue = CATALOGUE
    now: dt.datetime = BEGINNING
    features: dict[str, Any] = field(default_factory=lambda: NEVER_QUIET)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def decide(self, *account_ids: str, after: dt.timedelta = dt.timedelta(0)) -> list[Decision]:
        """Decide about accounts by the policy and the levels in force, on record, *after* some time each."""
        made = []
        with self.database.writing() as connection:
            transaction = Transaction(connection)
            put_documents(
                connection,
                [
                    Document("policy", self.document.hash, self.document.model_dump(mode="json")),
                    Document("catalogue", self.catalogue.hash, self.catalogue.canonical),
                ],
            )
            levels = recorded_levels(transaction)
            entries = []
            for account_id in account_ids:
                self.now += after
                one = account(
                    account_id=account_id, now=self.now, features=self.features, autonomy=levels, churn=0.9
                )
                decision = decide(one, self.catalogue, compiled(self.document))
                body = answer_json(decision)
                entries.append(prepare(decision_entry(one, decision.decision_id, body)))
                made.append(decision)
            transaction.add_all(entries)
        return made

    def live(self, days: float = 7.0, accounts_a_week: int = 4) -> list[Decision]:
        """Let *days* pass with decisions about so many accounts a week, and about one more at their end.

        Returns:
            The former, oldest first.
        """
        end = self.now + dt.timedelta(days=days)
        count = max(1, round(days / 7 * accounts_a_week))
        names = [f"acme-{next(self._numbers)}" for _ in range(count)]
        made = self.decide(*names, after=(end - self.now) / (count + 1))
        self.now = end
        self.decide(f"acme-{next(self._numbers)}")
        return made

    def happens(self, decision: Decision, event: Event, action: str = KEY) -> None:
        """Record that *event* came of the action of *decision*."""
        outcome = Outcome(decision.decision_id, event, action)
        with self.database.writing() as connection:
            record_outcome(Transaction(connection), outcome, now=self.now, rejection_days=30)

    def applied(self, decision: Decision, *, undone: bool = False) -> str:
        """Record that the action of *decision* was applied at once, and return the receipt's id."""
        receipt_id = f"rcp_{next(self._numbers)}"
        source = {"kind": "decision", "id": decision.decision_id}
        content = {"receipt_id": receipt_id, "source": source, "action": {"action_key": KEY}}
        with self.database.writing() as connection:
            transaction = Transaction(connection)
            transaction.add(Entry("receipt", receipt_id, decision.account_id, decision.decided_at, content))
            if undone:
                transaction.add(Entry("rollback", receipt_id, decision.account_id, self.now, {}))
        return receipt_id
