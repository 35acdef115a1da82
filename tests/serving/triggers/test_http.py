"""Triggers over HTTP: a run over named accounts, and the workflows of an account; on the real app."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from tests.serving.documented import fits
from tests.serving.triggers.services import NOTE, make_unattended
from tests.serving.triggers.worlds import free_accounts, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving.state import ServingState
    from tests.serving.conftest import World


@pytest.fixture
async def app(world: World, tmp_path: Path) -> AsyncIterator[KeepgrowApp]:
    """Return the app on a ledger of its own, with a trigger that fires for every account."""
    app = KeepgrowApp(settings_in(world, tmp_path, max_accounts=5))
    await app.start(find_bundle(world.tag, world.home / "models"))
    yield app
    await app.stop()


@pytest.fixture
async def client(app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the app."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://keepgrow.test"
    ) as client:
        yield client


@pytest.fixture
def state(app: KeepgrowApp) -> ServingState:
    """Return what the app holds."""
    assert app.state is not None
    return app.state


async def test_a_run_says_what_it_did_and_the_account_shows_it(
    world: World, client: httpx.AsyncClient, state: ServingState
) -> None:
    """A repeated run does nothing more; unknown accounts are problems of their own."""
    await make_unattended(state)
    one, other = free_accounts(state, world, 2)
    body = {"account_ids": [one, other, "nobody"]}
    run = fits(await client.post("/v1/triggers/run", json=body), "TriggerRunAnswer")
    assert run["triggers"]["older"] == {"fired": 2, "started": 2, "applied": 2}
    assert [error["account_id"] for error in run["errors"]] == ["nobody"]
    again = fits(await client.post("/v1/triggers/run", json=body), "TriggerRunAnswer")
    assert again["results"] == []
    shown = fits(await client.get(f"/v1/accounts/{one}/workflows"), "WorkflowsAnswer")
    (workflow,) = shown["workflows"]
    (step,) = workflow["steps"]
    assert (workflow["state"], step["outcome"], step["action"]) == ("open", "applied", NOTE)
    receipt = await client.get(f"/v1/actions/{step['receipt_id']}")
    assert receipt.json()["applied_by"] == "keepgrow:trigger:older"
    assert receipt.json()["deliveries"]


async def test_a_dry_run_leaves_nothing(world: World, client: httpx.AsyncClient, state: ServingState) -> None:
    """It says what would be done."""
    (one,) = free_accounts(state, world, 1)
    body = {"account_ids": [one], "dry_run": True}
    run = fits(await client.post("/v1/triggers/run", json=body), "TriggerRunAnswer")
    assert run["triggers"]["older"] == {"fired": 1, "started": 1, "task": 1}
    shown = fits(await client.get(f"/v1/accounts/{one}/workflows"), "WorkflowsAnswer")
    assert shown["workflows"] == []


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"account_ids": []}, 422, "malformed-body"),
        ({"account_ids": ["a", "a"]}, 422, "malformed-body"),
        ({"accounts": ["a"]}, 422, "malformed-body"),
        ([], 422, "malformed-body"),
        ({"account_ids": list("abcdef")}, 413, "too-many-accounts"),
    ],
)
async def test_a_body_that_is_wrong_is_a_problem(
    client: httpx.AsyncClient, body: object, status: int, kind: str
) -> None:
    """As for every other request."""
    answer = await client.post("/v1/triggers/run", json=body)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, kind)


async def test_nobody_can_act_in_the_name_of_a_trigger(
    world: World, client: httpx.AsyncClient, state: ServingState
) -> None:
    """The name that a trigger's receipts bear is refused of requests."""
    (one,) = free_accounts(state, world, 1)
    body = {"action_key": NOTE, "account_id": one, "actor": "keepgrow:trigger:older"}
    answer = await client.post("/v1/actions/simulate", json=body)
    assert 400 <= answer.status_code < 500


async def test_metrics_count_by_trigger(world: World, client: httpx.AsyncClient, state: ServingState) -> None:
    """Fired, started and what came of it."""
    accounts = free_accounts(state, world, 3)
    before = (await client.get("/metrics")).text
    await client.post("/v1/triggers/run", json={"account_ids": accounts})
    after = (await client.get("/metrics")).text
    for outcome in ("fired", "started", "task"):
        line = f'keepgrow_triggers_total{{outcome="{outcome}",trigger="older"}}'
        assert _value(after, line) - _value(before, line) == 3, outcome


def _value(text: str, line: str) -> float:
    return next((float(one.rsplit(" ", 1)[1]) for one in text.splitlines() if one.startswith(line)), 0.0)
