"""The ladder of autonomy over HTTP: what is shown where, how it is applied, and who may not ask."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from serving.ledger.autonomy import Change, record_change, standing_of
from tests.serving.actions.test_http import ANN, allowed, app, client, problem
from tests.serving.world import account_ids

if TYPE_CHECKING:
    import httpx

    from serving.app import KeepgrowApp
    from serving.decisions.autonomy import Level
    from serving.ledger.transaction import Transaction

__all__ = ["app", "client"]
LONGEST_SECONDS = 5.0
"""Within which a demotion has to be in force."""


async def put_all(app: KeepgrowApp, level: Level) -> None:
    """Record that every action of the catalogue is at *level*."""
    state = app.state
    assert state is not None

    def work(transaction: Transaction) -> None:
        for action in state.catalogue.actions:
            before = standing_of(transaction, action.key)
            change = Change(action.key, "one_click", level, "ann", "test", state.policy.hash, {})
            record_change(transaction, change, expected=before, at=state.clock.now())

    await state.ledger.transact(work)


async def decision(client: httpx.AsyncClient, account_id: str, surface: str) -> dict[str, Any]:
    """Return the decision about an account on a surface."""
    answer = await client.post("/v1/next-best-action", json={"account_id": account_id, "surface": surface})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rules(found: dict[str, Any]) -> set[str]:
    """Return the rules by which a decision refused actions."""
    return {one["rule"] for one in found["refused"]}


async def test_what_is_suggested_is_shown_to_people_and_applied_by_a_simulation(
    client: httpx.AsyncClient, app: KeepgrowApp
) -> None:
    """No customer sees it, a decision alone does not apply it, and the refusal says what does."""
    await put_all(app, "suggest")
    assert all([(await decision(client, one, "in_app"))["action"] is None for one in account_ids(10)])
    for account_id in account_ids():
        found = await decision(client, account_id, "account_card")
        if found["action"] is not None:
            break
    assert found["action"]["autonomy"] == "suggest"
    body = {"decision_id": found["decision_id"]}
    answer = await client.post("/v1/actions/apply", json=body, headers={**ANN, "idempotency-key": "straight"})
    assert problem(answer, 409) == "autonomy-level-too-low"
    assert answer.json()["level"] == "suggest"
    assert answer.json()["level_needed"] == "one_click"
    assert "simulate it first" in answer.json()["detail"]
    simulation = await allowed(client, "guide_experiment")
    by_simulation = await client.post(
        "/v1/actions/apply",
        json={"simulation_id": simulation["simulation_id"]},
        headers={**ANN, "idempotency-key": "simulated"},
    )
    assert by_simulation.status_code == 200, by_simulation.text


async def test_a_demotion_is_in_force_within_seconds(client: httpx.AsyncClient, app: KeepgrowApp) -> None:
    """Decisions of a running service follow the ledger, with nobody telling the service."""
    for account_id in account_ids():
        if (await decision(client, account_id, "account_card"))["action"] is not None:
            break
    await put_all(app, "shadow")
    started = time.monotonic()
    while "in_shadow" not in rules(found := await decision(client, account_id, "account_card")):
        assert time.monotonic() - started < LONGEST_SECONDS
        await asyncio.sleep(0.1)
    assert found["action"] is None


@pytest.mark.parametrize("name", ["keepgrow:trigger:renewal", "Keepgrow:ladder"])
async def test_nobody_asks_in_the_product_s_name(client: httpx.AsyncClient, name: str) -> None:
    """Neither by the header nor in the body, whatever is asked."""
    paths = {
        "/v1/actions/simulate": {"action_key": "guide_experiment", "account_id": account_ids()[0]},
        "/v1/actions/apply": {"simulation_id": "sim_1"},
        "/v1/actions/sim_1/approve": {},
        "/v1/actions/rcp_1/rollback": {"rollback_token": "t"},
    }
    for path, body in paths.items():
        key = {"idempotency-key": "k"}
        by_header = await client.post(path, json=body, headers={"keepgrow-actor": name, **key})
        assert problem(by_header, 403) == "actor-reserved"
        by_body = await client.post(path, json={**body, "actor": name}, headers=key)
        assert problem(by_body, 403) == "actor-reserved"
