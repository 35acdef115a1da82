"""What was decided can be decided again from the ledger alone, to the byte."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from feature_repo.contract import canonical_hash
from serving.decisions.catalogue import load_catalogue
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy
from serving.decisions.policy.fields import policy_fields
from serving.errors import LedgerError
from serving.ledger.database import Database
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.documents import Document, documents_of, get_document, put_documents
from serving.ledger.entry import Entry, prepare
from serving.ledger.replay import Replayer, replay
from serving.ledger.schema import migrate
from serving.ledger.transaction import Transaction
from tests.serving.decisions.frames import FEATURES, NOON_UTC, frame
from tests.serving.decisions.strategies import frames
from tests.serving.world import make_contract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.decisions.frame import DecisionFrame

CONTRACT = make_contract()
CATALOGUE = load_catalogue()
FIELDS = policy_fields(
    ((one.name, one.dtype, one.description) for one in CONTRACT.features),
    [f"{head}_probability_{days}d" for head in ("churn", "upsell") for days in (30, 60, 90)],
)
POLICY = Policy(load_policy(), FIELDS)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Return a ledger that holds the packaged policy and catalogue, and the contract."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('replay') / 'ledger.db'}")
    migrate(database)
    with database.writing() as connection:
        put_documents(connection, documents_of(POLICY.document, CATALOGUE, CONTRACT.model_dump(mode="json")))
    return database


@pytest.fixture(scope="module")
def replayer(database: Database) -> Iterator[Replayer]:
    """Return a replayer that keeps the rules it has compiled."""
    with database.reading() as connection:
        yield Replayer(connection)


def served(one: DecisionFrame) -> DecisionFrame:
    """Return *one* with the contract that the ledger holds."""
    return dataclasses.replace(one, feature_contract=CONTRACT.hash)


def recorded(one: DecisionFrame) -> tuple[str, bytes, Entry]:
    """Return id, answer and entry of the decision on *one*."""
    decision = decide(one, CATALOGUE, POLICY)
    body = answer_json(decision)
    return decision.decision_id, body, decision_entry(one, decision.decision_id, body)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames)
def test_any_decision_comes_out_again_to_the_byte(replayer: Replayer, one: DecisionFrame) -> None:
    """Whatever the frame, what was written is enough to get the same bytes again."""
    _, body, entry = recorded(served(one))
    written = dataclasses.replace(entry, content=orjson.loads(prepare(entry).content))
    replayed = replayer.replay(written)
    assert replayed.recorded == body
    assert replayed.now == body
    assert replayed.same


def test_a_decision_is_replayed_by_its_id(database: Database) -> None:
    """Id, frame and answer come from the database; an unknown id is named."""
    given_frame = served(frame(rejected={"in_app_guide": NOON_UTC}))
    decision_id, body, entry = recorded(given_frame)
    with database.writing() as connection:
        Transaction(connection).add(entry)
    with database.reading() as connection:
        replayed = replay(Transaction(connection), decision_id)
        assert (replayed.now, replayed.frame) == (body, given_frame)
        with pytest.raises(LedgerError, match="no decision 'dec_none'"):
            replay(Transaction(connection), "dec_none")


def test_what_comes_out_otherwise_is_named(database: Database) -> None:
    """A recorded answer that does not follow from its frame is shown place by place."""
    _, body, entry = recorded(served(frame()))
    answer: dict[str, Any] = orjson.loads(body)
    answer["reason"]["text"] = "Because."
    answer["refused"] = answer["refused"][1:]
    wrong = dataclasses.replace(entry, content={**orjson.loads(prepare(entry).content), "answer": answer})
    with database.reading() as connection:
        replayed = Replayer(connection).replay(wrong)
    assert not replayed.same
    paths = [one.path for one in replayed.differences()]
    assert paths[0] == "/reason/text"
    assert all(path.startswith("/refused/") for path in paths[1:])


def test_a_decision_whose_rules_are_gone_says_which(database: Database) -> None:
    """A policy that the ledger does not hold is named by its hash."""
    _, _, entry = recorded(served(frame()))
    content = orjson.loads(prepare(entry).content)
    content["answer"]["policy"] = "sha256:gone"
    with (
        database.reading() as connection,
        pytest.raises(LedgerError, match="no policy sha256:gone"),
    ):
        Replayer(connection).replay(dataclasses.replace(entry, content=content))


def test_documents_are_what_their_names_say(database: Database) -> None:
    """A document is put once, and can't be put under a name that is not its hash."""
    with pytest.raises(LedgerError, match="policy named sha256:x"):
        Document("policy", "sha256:x", {})
    document = Document("policy", canonical_hash({"a": [1.5, "zoë"]}), {"a": [1.5, "zoë"]})
    with database.writing() as connection:
        put_documents(connection, [document, document])
        put_documents(connection, [document])
        assert get_document(connection, "policy", document.hash) == document
        with pytest.raises(LedgerError, match="no catalogue"):
            get_document(connection, "catalogue", document.hash)


def test_features_of_the_tests_are_of_the_contract() -> None:
    """The frames of these tests speak of features that the contract has, so that all rules look at real values."""
    assert set(FEATURES) <= {one.name for one in CONTRACT.features}
