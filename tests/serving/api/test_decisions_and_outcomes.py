"""Decisions are on record before they are answered; what came of them is joined to them."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import redis

from keepgrow.replay_model import score_again
from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from serving.caps.store import ROOT
from serving.ledger.erasure import forget
from serving.ledger.replay import Replayer, replay
from serving.ledger.transaction import Transaction
from serving.ledger.verify import verify
from tests.serving.api.conftest import BASE
from tests.serving.documented import fits
from tests.serving.world import ACCOUNTS, IDLE, NOW, account_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.serving.conftest import World

RETRY = {"urn:keepgrow:problem:ledger-unavailable", "urn:keepgrow:problem:overloaded"}


@pytest.fixture
async def app(world: World, tmp_path: Path) -> AsyncIterator[KeepgrowApp]:
    """Return the app on a ledger of its own."""
    app = KeepgrowApp(world.settings(ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}"))
    await app.start(find_bundle(world.tag, world.home / "models"))
    yield app
    await app.stop()


async def decide(client: httpx.AsyncClient, account_id: str = "acme-0001", **body: Any) -> httpx.Response:
    """Ask for a decision."""
    return await client.post("/v1/next-best-action", json={"account_id": account_id, **body})


async def decide_for_an_action(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return the first decision on an account of the world that proposes an action."""
    for account_id in account_ids():
        decision = (await decide(client, account_id)).json()
        if decision.get("action"):
            return decision
    raise AssertionError("no account of the world gets an action")


async def test_a_decision_is_on_record_byte_for_byte(client: httpx.AsyncClient, app: KeepgrowApp) -> None:
    """What was answered can be read under its id, with all it was made from, in the documented form."""
    answer = await decide(client, "acme", surface="in_app")
    decision = answer.json()
    found = await client.get(f"/v1/decisions/{decision['decision_id']}")
    record = fits(found, "RecordedDecisionAnswer")
    assert orjson.dumps(record["decision"]) == answer.content
    assert record["account_id"] == "acme"
    assert record["frame"]["surface"] == "in_app"
    assert record["outcomes"] == []
    assert record["record"]["seq"] >= 1
    assert app.state is not None
    replayed = await app.state.ledger.look(lambda ledger: replay(ledger, decision["decision_id"]))
    assert replayed.now == answer.content


async def test_hundreds_of_decisions_can_be_replayed_to_the_byte(
    client: httpx.AsyncClient, app: KeepgrowApp
) -> None:
    """Whatever the account and the surface, live answers come out again from the ledger alone, and the chain holds."""
    surfaces = [None, "in_app", "email", "account_card", "daily_list"]
    known = [*account_ids()[: ACCOUNTS - 1], IDLE]
    asked = [decide(client, name, surface=surface) for name in known for surface in surfaces]
    answers = await asyncio.gather(*asked)
    cards = await asyncio.gather(*(client.get(f"/v1/accounts/acme-000{n}") for n in range(9)))
    assert app.state is not None
    bodies = {answer.json()["decision_id"]: answer.content for answer in answers}
    bodies |= {
        card.json()["next_best_action"]["decision_id"]: orjson.dumps(card.json()["next_best_action"])
        for card in cards
    }
    with app.state.ledger.database.reading() as connection:
        replayer, ledger = Replayer(connection), Transaction(connection)
        for decision_id, body in bodies.items():
            entry = ledger.get("decision", decision_id)
            assert entry is not None
            replayed = replayer.replay(entry)
            assert replayed.now == replayed.recorded == body
    found = verify(app.state.ledger.database)
    assert (found.broken, found.entries) == (None, len(bodies))
    assert found.documents == 3


async def test_unknown_and_erased_decisions_are_told_apart(
    client: httpx.AsyncClient, app: KeepgrowApp
) -> None:
    """An id that never was is 404, one whose account was forgotten is 410."""
    decision_id = (await decide(client)).json()["decision_id"]
    for unknown in ("dec_nothing", "a%00b", "%F0%9F%9A%80"):
        missing = await client.get(f"/v1/decisions/{unknown}")
        assert missing.status_code == 404
        assert missing.json()["type"] == "urn:keepgrow:problem:unknown-decision"
    assert app.state is not None
    forget(app.state.ledger.database, "acme-0001", now=NOW, reason="test")
    erased = await client.get(f"/v1/decisions/{decision_id}")
    assert erased.status_code == 410
    assert erased.json()["type"] == "urn:keepgrow:problem:erased"
    late = await client.post("/v1/outcomes", json={"decision_id": decision_id, "event": "lost"})
    assert late.status_code == 410


async def test_outcomes_are_joined_to_their_decision(client: httpx.AsyncClient) -> None:
    """Each event is recorded with the decision's action and account, and shown with the decision, in order."""
    decision = await decide_for_an_action(client)
    sent = [
        {"event": "shown"},
        {"event": "accepted", "at": "2026-03-02T10:00:00+01:00"},
        {"event": "converted", "extra_mrr": 120, "outcome_id": "crm-17"},
    ]
    for body in sent:
        answer = await client.post("/v1/outcomes", json={"decision_id": decision["decision_id"], **body})
        assert answer.status_code == 200
        outcome = answer.json()
        assert outcome["action"] == decision["action"]["key"]
        assert outcome["account_id"] == decision["account_id"]
    record = (await client.get(f"/v1/decisions/{decision['decision_id']}")).json()
    assert [one["event"] for one in record["outcomes"]] == ["shown", "accepted", "converted"]
    assert record["outcomes"][1]["at"] == "2026-03-02T09:00:00+00:00"
    assert (record["outcomes"][2]["extra_mrr"], record["outcomes"][2]["outcome_id"]) == (120.0, "crm-17")


async def test_an_outcome_sent_often_is_one(client: httpx.AsyncClient, app: KeepgrowApp) -> None:
    """Equal outcomes, sent at once and again later, are one record and get equal answers; late ones are taken."""
    decision = await decide_for_an_action(client)
    assert app.state is not None
    before = verify(app.state.ledger.database).entries
    body = {"decision_id": decision["decision_id"], "event": "clicked"}
    named = {**body, "event": "complained", "outcome_id": "zendesk-1", "at": "2031-01-01T00:00:00Z"}
    for one in (body, named):
        answers = await asyncio.gather(*(client.post("/v1/outcomes", json=one) for _ in range(10)))
        answers.append(await client.post("/v1/outcomes", json=one))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
    assert verify(app.state.ledger.database).entries == before + 2
    other = await client.post("/v1/outcomes", json={**named, "event": "reversed"})
    assert other.status_code == 409
    assert other.json()["type"] == "urn:keepgrow:problem:outcome-conflict"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"decision_id": "dec_none"}, 404),
        ({"event": "liked"}, 422),
        ({"event": "rejected"}, 422),
        ({"action": "no_such_action"}, 422),
        ({"at": "2026-03-02T10:00:00"}, 422),
        ({"at": 17}, 422),
        ({"extra_mrr": "many"}, 422),
        ({"outcome_id": ""}, 422),
        ({"outcome_id": "a\0b"}, 422),
        ({"more": 1}, 422),
    ],
)
async def test_wrong_outcomes_are_refused(
    client: httpx.AsyncClient, change: dict[str, Any], status: int
) -> None:
    """What can't be joined or is not of the form is a problem, and nothing is recorded."""
    decision = await decide_for_an_action(client)
    body = {"decision_id": decision["decision_id"], "event": "shown", **change}
    answer = await client.post("/v1/outcomes", json=body)
    assert answer.status_code == status
    record = (await client.get(f"/v1/decisions/{decision['decision_id']}")).json()
    assert record["outcomes"] == []


async def test_a_decision_for_nothing_has_outcomes_of_the_account_only(client: httpx.AsyncClient) -> None:
    """Nothing was shown, so nothing can be clicked; but that the account left is known of it too."""
    decision = (await decide(client, "idle")).json()
    assert decision["action"] is None
    body = {"decision_id": decision["decision_id"], "event": "clicked"}
    assert (await client.post("/v1/outcomes", json=body)).status_code == 422
    left = await client.post("/v1/outcomes", json={**body, "event": "lost"})
    assert (left.status_code, left.json()["action"]) == (200, None)


async def test_a_rejection_keeps_the_action_from_the_account_in_every_process(
    client: httpx.AsyncClient, world: World, app: KeepgrowApp
) -> None:
    """After a rejection the next decision, also of another worker, refuses the action and says until when."""
    decision = await decide_for_an_action(client)
    account_id, key = decision["account_id"], decision["action"]["key"]
    body = {"decision_id": decision["decision_id"], "event": "rejected", "reason": "no budget this year"}
    answer = await client.post("/v1/outcomes", json=body)
    assert answer.status_code == 200
    until = dt.datetime.fromisoformat(answer.json()["not_proposed_before"])
    assert abs(until - NOW - dt.timedelta(days=90)) < dt.timedelta(minutes=10)
    other = KeepgrowApp(world.settings(ledger_url=app.settings.ledger_url))
    await other.start(find_bundle(world.tag, world.home / "models"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url=BASE) as worker:
        for one in (client, worker):
            again = (await decide(one, account_id)).json()
            refusal = next(refused for refused in again["refused"] if refused["action"] == key)
            assert (refusal["stage"], refusal["rule"]) == ("applicability", "rejected_recently")
            assert (again["action"] or {}).get("key") != key
            record = (await one.get(f"/v1/decisions/{again['decision_id']}")).json()
            assert list(record["frame"]["rejected"]) == [key]
    await other.stop()


async def test_an_old_rejection_is_over(client: httpx.AsyncClient) -> None:
    """A rejection that is reported late counts from when it happened."""
    decision = await decide_for_an_action(client)
    old = (NOW - dt.timedelta(days=91)).isoformat()
    body = {"decision_id": decision["decision_id"], "event": "rejected", "reason": "no", "at": old}
    assert (await client.post("/v1/outcomes", json=body)).status_code == 200
    again = (await decide(client, decision["account_id"])).json()
    assert again["action"]["key"] == decision["action"]["key"]


async def test_without_a_ledger_decisions_are_refused_and_scores_go_on(world: World, tmp_path: Path) -> None:
    """While the ledger can't be written every answer that shows a decision is 503 with `Retry-After`; it recovers."""
    folder = tmp_path / "gone"
    folder.write_text("a file where the ledger's folder should be")
    settings = world.settings(ledger_url=f"sqlite:///{folder / 'ledger.db'}", ledger_timeout_seconds=0.5)
    app = KeepgrowApp(settings)
    await app.start(find_bundle(world.tag, world.home / "models"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        refused = [
            await decide(client),
            await client.get("/v1/accounts/acme-0001"),
            await client.get("/v1/decisions/dec_x"),
            await client.post("/v1/outcomes", json={"decision_id": "dec_x", "event": "lost"}),
        ]
        for answer in refused:
            assert answer.status_code == 503
            assert answer.json()["type"] in RETRY
            assert answer.headers["retry-after"] == "1"
        score = await client.post("/v1/score", json={"account_id": "acme-0001"})
        assert score.status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        folder.unlink()
        assert (await decide(client)).status_code == 200
    await app.stop()


async def test_the_recorded_features_give_the_recorded_probabilities(
    client: httpx.AsyncClient, app: KeepgrowApp, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`keepgrow replay --model` scores the frame's features with the bundle of the time: the same comes out."""
    monkeypatch.setattr(
        "keepgrow.replay_model.find_bundle", lambda tag: find_bundle(tag, world.home / "models")
    )
    assert app.state is not None
    for account_id in account_ids()[:8]:
        decision_id = (await decide(client, account_id)).json()["decision_id"]
        replayed = await app.state.ledger.look(lambda ledger, name=decision_id: replay(ledger, name))
        assert score_again(replayed.frame) == []
        nudged = {name: value * 1.0000001 for name, value in replayed.frame.churn_probability.items()}
        differences = score_again(dataclasses.replace(replayed.frame, churn_probability=nudged))
        assert [one.path for one in differences] == [f"/model/churn/{days}d" for days in (30, 60, 90)]


async def test_outcomes_settle_what_a_decision_uses_of_caps(
    client: httpx.AsyncClient, app: KeepgrowApp, world: World
) -> None:
    """`not_shown` gives the use back, `shown` makes it final; without either it stays open."""
    assert app.state is not None
    caps = app.state.caps
    with redis.Redis.from_url(world.redis_url) as store:
        for key in store.scan_iter(ROOT + b"*"):
            store.delete(key)
    for account_id in account_ids():
        decision = (await decide(client, account_id, surface="in_app")).json()
        if decision.get("reservation"):
            break
    else:
        raise AssertionError("no decision of the world uses anything of caps")
    body = {"decision_id": decision["decision_id"], "event": "not_shown"}
    assert (await client.post("/v1/outcomes", json=body)).status_code == 200
    assert not await caps.not_shown(decision["decision_id"], NOW)
    second = (await decide(client, account_id, surface="in_app")).json()
    body = {"decision_id": second["decision_id"], "event": "clicked"}
    assert (await client.post("/v1/outcomes", json=body)).status_code == 200
    assert not await caps.shown(second["decision_id"], NOW)
    assert await caps.not_shown(second["decision_id"], NOW)
    third = (await decide(client, account_id, surface="in_app")).json()
    assert await caps.shown(third["decision_id"], NOW)
