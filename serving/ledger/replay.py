"""Decides a past decision again, from the ledger alone, and compares the answers byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from feature_repo.contract import FeatureContract
from serving.decisions.catalogue import Catalogue
from serving.decisions.frame import CHURN, UPSELL
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument
from serving.decisions.policy.fields import policy_fields
from serving.errors import LedgerError
from serving.ledger.decisions import DECISION, answer_json, read_decision
from serving.ledger.documents import get_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import sqlalchemy as sa

    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.fields import Field
    from serving.ledger.entry import Entry
    from serving.ledger.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Difference:
    """One place at which two answers differ.

    Attributes:
        path: The place, as a JSON pointer.
        recorded: What the ledger holds there; None also if nothing.
        now: What comes out now.
    """

    path: str
    recorded: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision was made by, as it was then."""

    catalogue: Catalogue
    policy: Policy
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A past decision and the same decided now.

    Attributes:
        decision_id: The decision.
        frame: What it was made from.
        rules: What it was made by.
        recorded: The answer's JSON as it was given.
        now: The answer's JSON as it comes out now.
    """

    decision_id: str
    frame: DecisionFrame
    rules: Rules
    recorded: bytes
    now: bytes

    @property
    def same(self) -> bool:
        """Whether both are the same bytes."""
        return self.recorded == self.now

    def differences(self) -> list[Difference]:
        """Return where they differ; none if only the order of members does."""
        return list(_differences("", orjson.loads(self.recorded), orjson.loads(self.now)))


@dataclass(slots=True)
class Replayer:
    """Decides anew; documents that many decisions share are read and compiled once.

    Attributes:
        connection: A connection to the ledger's database.
    """

    connection: sa.Connection
    _rules: dict[tuple[str, str, str, tuple[str, ...]], Rules] = field(default_factory=dict)
    _catalogues: dict[str, Catalogue] = field(default_factory=dict)

    def replay(self, entry: Entry) -> Replayed:
        """Return the decision of *entry*, decided again.

        Raises:
            LedgerError: A document that it was made by is not there.
            ServingError: A document can't be used by this version.
        """
        frame, recorded = read_decision(entry)
        answer = entry.content["answer"]
        rules = self.rules(frame, answer["policy"], answer["catalogue"])
        now = answer_json(decide(frame, rules.catalogue, rules.policy))
        return Replayed(entry.record_id, frame, rules, recorded, now)

    def rules(self, frame: DecisionFrame, policy: str, catalogue: str) -> Rules:
        """Return the policy and the catalogue with these hashes, for frames like *frame*.

        Raises:
            LedgerError: The ledger lacks one, or the frame's feature contract.
        """
        probabilities = tuple(
            [f"{CHURN}{horizon}" for horizon in frame.churn_probability]
            + [f"{UPSELL}{horizon}" for horizon in frame.upsell_probability]
        )
        key = (frame.feature_contract, policy, catalogue, probabilities)
        if key not in self._rules:
            fields = self.fields(frame.feature_contract, probabilities)
            document = PolicyDocument.model_validate(get_document(self.connection, "policy", policy).content)
            compiled = Policy(document, fields)
            compiled.hash = policy  # the content was checked against it; what this version adds is not of it
            self._rules[key] = Rules(self.catalogue(catalogue), compiled, fields)
        return self._rules[key]

    def fields(self, contract: str, probabilities: tuple[str, ...]) -> Mapping[str, Field]:
        """Return what rules may speak of, by the feature contract with this hash.

        Raises:
            LedgerError: The ledger lacks it.
        """
        found = FeatureContract.model_validate(
            get_document(self.connection, "feature_contract", contract).content
        )
        features = ((one.name, one.dtype, one.description) for one in found.features)
        return policy_fields(features, probabilities)

    def catalogue(self, name: str) -> Catalogue:
        """Return the catalogue with this hash.

        Raises:
            LedgerError: The ledger lacks it.
        """
        if name not in self._catalogues:
            found = Catalogue.model_validate(get_document(self.connection, "catalogue", name).content)
            vars(found)["hash"] = name  # as with the policy
            self._catalogues[name] = found
        return self._catalogues[name]


def replay(transaction: Transaction, decision_id: str) -> Replayed:
    """Return the decision with this id, decided again.

    Raises:
        LedgerError: There is no such decision, its content was erased, or a document is not there.
    """
    entry = transaction.get(DECISION, decision_id)
    if entry is None:
        raise LedgerError(f"the ledger holds no decision {decision_id!r}")
    return Replayer(transaction.connection).replay(entry)


def _differences(path: str, recorded: object, now: object) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in [*recorded, *(key for key in now if key not in recorded)]:
            yield from _differences(f"{path}/{key}", recorded.get(key), now.get(key))
    elif isinstance(recorded, list) and isinstance(now, list):
        for index in range(max(len(recorded), len(now))):
            left = recorded[index] if index < len(recorded) else None
            right = now[index] if index < len(now) else None
            yield from _differences(f"{path}/{index}", left, right)
    elif recorded != now or type(recorded) is not type(now):
        yield Difference(path, recorded, now)
