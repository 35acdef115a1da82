"""The road over HTTP: simulate, approve, apply, read back, undo; on the real app, store, bundle and ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest

from serving.actions.types import TYPES
from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from tests.serving.documented import fits
from tests.serving.world import account_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.serving.conftest import World

ANN, BOB = {"keepgrow-actor": "ann"}, {"keepgrow-actor": "bob"}


@pytest.fixture
async def app(world: World, tmp_path: Path) -> AsyncIterator[KeepgrowApp]:
    """Return the app on a ledger of its own, its effects going to a file."""
    app = KeepgrowApp(
        world.settings(
            ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}",
            ledger_timeout_seconds=20,
            outbox=f"file:{tmp_path / 'effects.jsonl'}",
        )
    )
    await app.start(find_bundle(world.tag, world.home / "models"))
    yield app
    await app.stop()


@pytest.fixture
async def client(app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the app."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://keepgrow.test") as client:
        yield client


def problem(answer: httpx.Response, status: int) -> str:
    """Return the last part of the problem's type."""
    assert answer.status_code == status, answer.text
    return str(answer.json()["type"].rpartition(":")[2])


async def allowed(client: httpx.AsyncClient, key: str) -> dict[str, Any]:
    """Return a simulation of the catalogue's action *key* that may be applied, on whichever account it may."""
    stopped: set[str] = set()
    for account_id in account_ids():
        answer = await client.post(
            "/v1/actions/simulate", json={"action_key": key, "account_id": account_id}, headers=ANN
        )
        if answer.status_code == 200:
            simulation = fits(answer, "SimulationAnswer")
            if simulation["allowed"]:
                return simulation
            stopped |= {
                check["rule"] for check in simulation["checks"] if check["blocks"] and not check["passed"]
            }
    raise AssertionError(f"{key} may be applied to no account: {stopped}")


async def test_an_action_is_simulated_applied_read_back_and_undone(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """The road from a question to its undoing; effect and inverse arrive in order."""
    simulation = await allowed(client, "guide_experiment")
    body = {"simulation_id": simulation["simulation_id"]}
    key = {"idempotency-key": "one"}
    answers = await asyncio.gather(
        *(client.post("/v1/actions/apply", json=body, headers={**ANN, **key}) for _ in range(10))
    )
    receipt = fits(answers[0], "NewReceiptAnswer")
    assert {answer.content for answer in answers} == {answers[0].content}
    path = f"/v1/actions/{receipt['receipt_id']}"
    for _ in range(100):
        known = fits(await client.get(path), "KnownReceiptAnswer")
        if known["deliveries"][0]["state"] == "delivered":
            break
        await asyncio.sleep(0.05)
    assert [one["state"] for one in known["deliveries"]] == ["delivered"]
    wrong = await client.post(f"{path}/rollback", json={"rollback_token": "rbt_no"}, headers=ANN)
    assert problem(wrong, 403) == "wrong-rollback-token"
    undo = {"rollback_token": receipt["rollback_token"], "reason": "wrong account"}
    undone = fits(await client.post(f"{path}/rollback", json=undo, headers=BOB), "RollbackAnswer")
    assert (await client.post(f"{path}/rollback", json=undo, headers=ANN)).json() == undone
    for _ in range(100):
        known = fits(await client.get(path), "KnownReceiptAnswer")
        if len(known["deliveries"]) == 2 and known["deliveries"][1]["state"] == "delivered":
            break
        await asyncio.sleep(0.05)
    assert known["rollback"] == undone
    lines = (tmp_path / "effects.jsonl").read_text().splitlines()
    assert ["experiment.opened" in lines[0], "experiment.closed" in lines[1], len(lines)] == [True, True, 2]


async def test_apply_needs_a_key_an_actor_and_one_content_a_key(client: httpx.AsyncClient) -> None:
    """Without a key or an actor 400; under a used key another body is 422."""
    simulation = await allowed(client, "guide_experiment")
    body = {"simulation_id": simulation["simulation_id"]}
    apply, key = "/v1/actions/apply", {"idempotency-key": "k"}
    assert problem(await client.post(apply, json=body, headers=ANN), 400) == "idempotency-key-missing"
    assert problem(await client.post(apply, json=body, headers=key), 400) == "actor-missing"
    assert (await client.post(apply, json=body, headers={**ANN, **key})).status_code == 200
    other = await client.post(apply, json={"simulation_id": "sim_other"}, headers={**ANN, **key})
    assert problem(other, 422) == "idempotency-key-reused"
    again = await client.post(apply, json=body, headers={**ANN, "idempotency-key": "k2"})
    assert problem(again, 409) == "already-applied"


async def test_a_high_blast_radius_needs_another_person(client: httpx.AsyncClient) -> None:
    """Without an approval 409, by the proposer 403, by somebody else it goes."""
    simulation = await allowed(client, "incident_status")
    assert simulation["approvals_needed"] == 1
    body, headers = {"simulation_id": simulation["simulation_id"]}, {**ANN, "idempotency-key": "k"}
    missing = await client.post("/v1/actions/apply", json=body, headers=headers)
    assert problem(missing, 409) == "approvals-missing"
    approve = f"/v1/actions/{simulation['simulation_id']}/approve"
    assert problem(await client.post(approve, json={}, headers=ANN), 403) == "own-proposal"
    fits(await client.post(approve, json={"note": "fine"}, headers=BOB), "ApprovalAnswer")
    receipt = fits(await client.post("/v1/actions/apply", json=body, headers=headers), "NewReceiptAnswer")
    assert [one["by"] for one in receipt["approvals"]] == ["bob"]


async def test_a_decision_is_applied_by_its_id_and_counts_once(
    client: httpx.AsyncClient, app: KeepgrowApp
) -> None:
    """What a decision has reserved of caps is what its action uses, and is not given back after that."""
    assert app.state is not None
    for account_id in account_ids():
        body = {"account_id": account_id, "surface": "in_app"}
        decision = (await client.post("/v1/next-best-action", json=body)).json()
        if decision["action"] is not None:
            break
    else:
        raise AssertionError("no account gets anything")
    approval = await client.post(f"/v1/actions/{decision['decision_id']}/approve", json={}, headers=BOB)
    assert fits(approval, "ApprovalAnswer")["source"]["kind"] == "decision"
    reserved = await app.state.caps.usage(account_id, "in_app", app.state.clock.now())
    answer = await client.post(
        "/v1/actions/apply",
        json={"decision_id": decision["decision_id"]},
        headers={**ANN, "idempotency-key": "by-decision"},
    )
    receipt = fits(answer, "NewReceiptAnswer")
    assert receipt["source"] == {"kind": "decision", "id": decision["decision_id"]}
    assert receipt["action"]["action_key"] == decision["action"]["key"]
    used = await app.state.caps.usage(account_id, "in_app", app.state.clock.now())
    assert used.used == reserved.used
    assert sum(used.used.values()) > 0
    assert not await app.state.caps.shown(decision["decision_id"], app.state.clock.now())


async def test_a_simulation_of_several_accounts_names_who_gets_it(client: httpx.AsyncClient) -> None:
    """Every account is in the answer, unknown ones as problems; shares are told by group."""
    wanted = [*account_ids(20), "nobody"]
    body = {"action_key": "guide_experiment", "account_ids": wanted, "actor": "ann"}
    simulation = fits(await client.post("/v1/actions/simulate", json=body), "SimulationAnswer")
    assert [one["account_id"] for one in simulation["accounts"]] == wanted[:-1]
    assert [one["account_id"] for one in simulation["errors"]] == ["nobody"]
    gets = sum(one["allowed"] for one in simulation["accounts"])
    assert simulation["projection"]["accounts"] == gets
    groups = simulation["fairness"]["segment"]["groups"]
    assert sum(group["accounts"] for group in groups) == 20
    assert sum(group["gets"] for group in groups) == gets
    many = {**body, "account_ids": [str(number) for number in range(201)]}
    assert problem(await client.post("/v1/actions/simulate", json=many), 413) == "too-many-accounts"
    applied = await client.post(
        "/v1/actions/apply",
        json={"simulation_id": simulation["simulation_id"]},
        headers={**ANN, "idempotency-key": "k"},
    )
    assert problem(applied, 404) == "unknown-source"


async def test_a_change_of_policy_is_simulated_by_who_would_get_something_else(
    client: httpx.AsyncClient,
) -> None:
    """A policy that forbids all gives nothing to anybody; one that can't be read is told so."""
    forbids = (
        "name: nothing\nrules:\n- {id: none, stage: eligibility, require: 'false', "
        "reason_code: forbidden, text: Nothing is done}\n"
    )
    body = {"policy": forbids, "account_ids": account_ids(), "actor": "ann"}
    simulation = fits(await client.post("/v1/actions/simulate", json=body), "SimulationAnswer")
    assert simulation["candidate"]["projection"]["accounts"] == 0
    assert len(simulation["changes"]) == simulation["current"]["projection"]["accounts"] > 0
    assert all(change["after"] is None for change in simulation["changes"])
    wrong = await client.post("/v1/actions/simulate", json={**body, "policy": "name: x"})
    assert problem(wrong, 422) == "malformed-body"
    assert wrong.json()["errors"][0]["pointer"] == "/policy"


async def test_what_an_action_says_wrongly_is_pointed_at(client: httpx.AsyncClient) -> None:
    """Unknown members, naive times and money that is no integer are refused with their places."""
    action = (await allowed(client, "guide_experiment"))["action"]
    body = {"actor": "ann", "action": {**action, "starts_at": "2026-03-02T12:00:00", "colour": "red"}}
    answer = await client.post("/v1/actions/simulate", json=body)
    assert problem(answer, 422) == "malformed-body"
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/action/open_experiment/starts_at", "/action/open_experiment/colour"}
    other = {**body, "action": {**action, "action_key": "add_seats"}}
    assert problem(await client.post("/v1/actions/simulate", json=other), 422) == "unknown-action"


async def test_schemas_are_published(client: httpx.AsyncClient) -> None:
    """One for all types and one for each; an unknown type is told."""
    every = await client.get("/v1/actions/schemas")
    assert every.headers["content-type"] == "application/schema+json"
    assert set(every.json()["discriminator"]["mapping"]) == set(TYPES)
    for name in TYPES:
        schema = (await client.get(f"/v1/actions/schemas/{name}")).json()
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
    assert problem(await client.get("/v1/actions/schemas/none"), 404) == "unknown-action-type"


async def test_ids_that_nothing_can_have_are_unknown(client: httpx.AsyncClient) -> None:
    """Receipts and sources with odd ids are not found, whatever the database makes of them."""
    for odd in ("rcp_none", "%00", "a%2Fb"):
        assert problem(await client.get(f"/v1/actions/{odd}"), 404) == "unknown-receipt"
        approve = await client.post(f"/v1/actions/{odd}/approve", json={}, headers=ANN)
        assert problem(approve, 404) == "unknown-source"
