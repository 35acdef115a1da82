"""The brief over HTTP, on the real app, store, bundle and ledger: what it says, and what can be done from it."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

from serving.decisions.catalogue import load_catalogue
from serving.decisions.holdouts import Holdouts
from tests.serving.api.brief.asked import brief_of, brief_with, path_of
from tests.serving.api.conftest import client_of, started
from tests.serving.api.test_problems import assert_problem
from tests.serving.documented import fits
from tests.serving.world import NOW, account_ids

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from serving.app import KeepgrowApp
    from tests.serving.conftest import World

ANN, BOB = {"keepgrow-actor": "ann"}, {"keepgrow-actor": "bob"}


async def test_a_brief_is_the_card_and_all_that_is_weighed_before_acting(client: httpx.AsyncClient) -> None:
    """It has every action that stood, ranked twice, with effect, money, risk, checks, and where it all comes from."""
    brief = await brief_with(client, 3)
    decision, actions = brief["next_best_action"], brief["actions"]
    stood = [] if decision["action"] is None else [decision["action"]["key"]]
    stood += [one["action"]["key"] for one in decision["alternatives"]]
    assert sorted(one["action"]["key"] for one in actions) == sorted(stood)
    assert [one["action"]["key"] for one in actions if one["recommended"]] == stood[:1]
    assert [one["rank_by_safety"] for one in actions] == list(range(1, len(actions) + 1))
    assert sorted(one["rank_by_value"] for one in actions) == list(range(1, len(actions) + 1))
    by_value = sorted(actions, key=lambda one: one["rank_by_value"])
    worth = [one["expected_value"]["ranked_by"] for one in by_value]
    assert worth == sorted(worth, reverse=True)
    radii = [["low", "medium", "high"].index(one["simulation"]["blast_radius"]) for one in actions]
    assert radii == sorted(radii)
    for one in actions:
        low, high = one["expected_value"]["interval_90"]
        assert low <= one["expected_value"]["amount"] <= high
        assert one["simulation"]["checks"]
        assert one["simulation"]["projection"]["churn_risk"]["without"] == brief["do_nothing"]["churn_risk"]
        assert one["simulation"]["decision_id"] == decision["decision_id"]
    assert any(one["budget_use"] for one in actions)
    refused = {one["action"] for stage in brief["refused_by_stage"] for one in stage["refused"]}
    assert refused | set(stood) == {one.key for one in load_catalogue().actions}
    views = {one["view"] for one in brief["sources"]["views"]}
    assert views == set(brief["evidence"]["views"])
    assert brief["sources"]["model"] == brief["model"]
    known = await client.get(f"/v1/decisions/{brief['sources']['decision_id']}")
    assert known.json()["decision"] == decision


async def test_what_a_brief_shows_can_be_applied_and_undone(client: httpx.AsyncClient) -> None:
    """Its simulations are on record: one is applied by its id, stands in the next brief as open, and then as undone."""
    brief = await brief_with(client, 1)
    account_id = brief["account_id"]
    assert brief["applied_actions"] == []
    chosen = next(one["simulation"] for one in brief["actions"]
                  if one["simulation"]["allowed"] and one["simulation"]["reversible"]
                  and not one["simulation"]["approvals_needed"])  # fmt: skip
    applied = await client.post(
        "/v1/actions/apply",
        json={"simulation_id": chosen["simulation_id"]},
        headers={**ANN, "idempotency-key": "a"},
    )
    assert applied.status_code == 200, applied.text
    receipt = applied.json()
    assert (receipt["proposed_by"], receipt["applied_by"]) == ("keepgrow:brief", "ann")
    assert receipt["read_back"] == chosen["read_back"]
    shown = (await brief_of(client, account_id))["applied_actions"]
    assert [(one["receipt_id"], one["state"]) for one in shown] == [(receipt["receipt_id"], "open")]
    undo = {"rollback_token": receipt["rollback_token"]}
    path = f"/v1/actions/{receipt['receipt_id']}/rollback"
    assert (await client.post(path, json=undo, headers=BOB)).status_code == 200
    (shown,) = (await brief_of(client, account_id))["applied_actions"]
    assert (shown["state"], shown["rolled_back_by"]) == ("undone", "bob")


async def test_who_applies_is_not_who_approves(client: httpx.AsyncClient, app: KeepgrowApp) -> None:
    """No person proposed what a brief simulates, so two people are needed where an approval is, and two are enough."""
    assert app.state is not None
    content = app.state.catalogue.model_dump()
    app.state.catalogue = type(app.state.catalogue).model_validate(
        {**content, "approvals": {"low": 1, "medium": 1, "high": 1}}
    )
    brief = await brief_with(client, 1)
    simulation = brief["actions"][0]["simulation"]
    assert simulation["allowed"]
    assert simulation["approvals_needed"] == 1
    approve = f"/v1/actions/{simulation['simulation_id']}/approve"
    body, headers = {"simulation_id": simulation["simulation_id"]}, {"idempotency-key": "k"}
    assert (await client.post(approve, json={}, headers=ANN)).status_code == 200
    alone = await client.post("/v1/actions/apply", json=body, headers={**headers, **ANN})
    assert_problem(alone, 409, "approvals-missing")
    other = await client.post("/v1/actions/apply", json=body, headers={**headers, **BOB})
    assert other.status_code == 200
    assert [one["by"] for one in other.json()["approvals"]] == ["ann"]


async def test_an_unknown_account_and_an_impossible_one_are_problems(client: httpx.AsyncClient) -> None:
    """404 for an account that nobody knows, 422 for an id that is too long, and for a form that there is not."""
    assert_problem(await client.get(path_of("nobody")), 404, "unknown-account")
    assert_problem(await client.get(path_of("x" * 257)), 422, "malformed-body")
    answer = await client.get(f"{path_of('acme')}?format=pdf")
    assert_problem(answer, 422, "invalid-parameter")
    assert answer.json()["errors"][0]["parameter"] == "format"


async def test_stale_evidence_leaves_nothing_to_apply(further_world: World, tmp_path: Path) -> None:
    """The score stands, the page says how old the data is, and there is no button."""
    ledger_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    later = NOW + dt.timedelta(days=30)
    async with (
        started(further_world, ledger_url=ledger_url, clock_start=later) as app,
        client_of(app) as client,
    ):
        brief = await brief_of(client, "acme-0001")
        assert (brief["sources"]["status"], brief["actions"]) == ("stale", [])
        assert brief["sources"]["views"][0]["age_seconds"] > brief["sources"]["views"][0]["limit_seconds"]
        page = (await client.get(f"{path_of('acme-0001')}?format=html")).text
        assert "older than its limit" in page
        assert "<button" not in page


async def test_an_account_that_is_held_out_has_nothing_to_apply(
    client: httpx.AsyncClient, app: KeepgrowApp
) -> None:
    """Nobody is shown an action for it, and the brief says why."""
    assert app.state is not None
    app.state.policy.holdouts = Holdouts(salt="all", share=0.999999)
    brief = await brief_of(client, "acme-0001")
    assert brief["actions"] == []
    assert [stage["stage"] for stage in brief["refused_by_stage"]] == ["holdout"]
    page = (await client.get(f"{path_of('acme-0001')}?format=html")).text
    assert "Held out" in page
    assert "<button" not in page


async def test_equal_questions_at_one_moment_share_what_is_on_record(
    client: httpx.AsyncClient, app: KeepgrowApp
) -> None:
    """Many who ask at once get their briefs; equal decisions have equal simulations, and the ledger holds them once."""
    assert app.state is not None
    account_id = (await brief_with(client, 1))["account_id"]
    answers = await asyncio.gather(*(client.get(path_of(account_id)) for _ in range(12)))
    assert [answer.status_code for answer in answers] == [200] * 12
    shown = {
        one["simulation"]["simulation_id"]: one["simulation"]["decision_id"]
        for answer in answers
        for one in answer.json()["actions"]
    }
    decisions = {answer.json()["next_best_action"]["decision_id"] for answer in answers}
    assert set(shown.values()) == decisions
    assert len(shown) == len(decisions) * len(answers[0].json()["actions"])
    entries = await app.state.ledger.of_account(account_id, ("simulation",), 1000)
    assert set(shown) <= {entry.record_id for entry in entries}


async def test_without_a_ledger_there_is_no_brief(further_world: World, tmp_path: Path) -> None:
    """Nothing is shown that could not be recorded: 503 with `Retry-After`; it recovers."""
    folder = tmp_path / "gone"
    folder.write_text("a file where the ledger's folder should be")
    ledger_url = f"sqlite:///{folder / 'ledger.db'}"
    async with (
        started(further_world, ledger_url=ledger_url, ledger_timeout_seconds=0.5) as app,
        client_of(app) as client,
    ):
        answer = await client.get(path_of("acme-0001"))
        assert_problem(answer, 503, "ledger-unavailable")
        assert answer.headers["retry-after"] == "1"
        folder.unlink()
        assert (await client.get(path_of("acme-0001"))).status_code == 200


async def test_a_second_person_sees_the_simulation_that_waits_for_them(client: httpx.AsyncClient) -> None:
    """`simulation_id` shows an earlier simulation of the account with who agreed so far, also on the page."""
    brief = await brief_with(client, 1)
    path, simulation = path_of(brief["account_id"]), brief["actions"][0]["simulation"]
    simulation_id = simulation["simulation_id"]
    assert brief["shared_simulation"] is None
    note = await client.post(f"/v1/actions/{simulation_id}/approve", json={}, headers=BOB)
    assert note.status_code == 200
    answer = await client.get(f"{path}?simulation_id={simulation_id}")
    shared = fits(answer, "BriefAnswer")["shared_simulation"]
    assert {name: shared[name] for name in simulation} == simulation
    assert [one["by"] for one in shared["approvals"]] == ["bob"]
    page = await client.get(f"{path}?simulation_id={simulation_id}&format=html")
    assert "You were asked to look at" in page.text
    assert f'data-simulation="{simulation_id}"' in page.text
    other = next(one for one in account_ids() if one != brief["account_id"])
    for wrong in (
        f"{path_of(other)}?simulation_id={simulation_id}",
        f"{path}?simulation_id=sim_no",
        f"{path}?simulation_id=%00",
    ):
        assert_problem(await client.get(wrong), 404, "unknown-source")
