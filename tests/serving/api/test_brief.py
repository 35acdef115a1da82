"""The brief over HTTP, on the real app, store, bundle and ledger: as JSON and as a page."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import jsonschema
import pyarrow as pa
import pytest
import redis

from serving.api.brief import wanted_format
from serving.api.problems import ProblemError
from serving.app import KeepgrowApp
from serving.brief.page import render_page
from serving.bundle.store import find_bundle
from serving.decisions.catalogue import load_catalogue
from serving.decisions.holdouts import Holdouts
from serving.features.keys import EntityKeys
from tests.serving.api.conftest import BASE
from tests.serving.api.test_answers import schema_of
from tests.serving.api.test_problems import assert_problem
from tests.serving.catalogues import whatever_happens
from tests.serving.world import IDLE, NOW, account_ids, write_online

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.serving.conftest import World

HOSTILE = "\"><script>alert('x')</script>&amp;{{7*7}}\N{RIGHT-TO-LEFT OVERRIDE}\N{ROCKET}</title>"
ANN, BOB = {"keepgrow-actor": "ann"}, {"keepgrow-actor": "bob"}


@pytest.fixture
async def app(further_world: World, tmp_path: Path) -> AsyncIterator[KeepgrowApp]:
    """Return the app on a ledger of its own, with actions that are for every account."""
    app = KeepgrowApp(
        further_world.settings(ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}", ledger_timeout_seconds=20)
    )
    await app.start(find_bundle(further_world.tag, further_world.home / "models"))
    assert app.state is not None
    app.state.catalogue = whatever_happens(load_catalogue())
    yield app
    await app.stop()


@pytest.fixture
async def client(app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the app."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


@pytest.fixture
def hostile_account(world: World) -> Iterator[str]:
    """Return an account whose id, and texts, try to become part of the page."""
    row = {**world.features.to_pylist()[0], "account_id": HOSTILE, "industry": HOSTILE, "region": "<b>eu</b>"}
    features = pa.RecordBatch.from_pylist([row], schema=world.features.schema)
    write_online(world.redis_url, world.contract, features)
    yield HOSTILE
    keys = EntityKeys(world.contract.project, world.contract.join_key)
    with redis.Redis.from_url(world.redis_url) as store:
        store.delete(keys.key(HOSTILE))


def path_of(account_id: str) -> str:
    """Return the path of an account's brief."""
    return f"/v1/accounts/{quote(account_id, safe='')}/brief"


async def brief_of(client: httpx.AsyncClient, account_id: str) -> dict[str, Any]:
    """Return an account's brief, which must be of the documented form."""
    answer = await client.get(path_of(account_id))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    jsonschema.validate(found, schema_of("BriefAnswer"))
    return found


async def brief_with(client: httpx.AsyncClient, least: int) -> dict[str, Any]:
    """Return the brief of an account with at least so many actions that stand."""
    for account_id in account_ids()[:-1]:
        brief = await brief_of(client, account_id)
        if len(brief["actions"]) >= least:
            return brief
    raise AssertionError(f"no account has {least} actions")


class Page(HTMLParser):
    """What stands in a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text += data


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


async def test_the_page_is_self_contained_and_guarded(client: httpx.AsyncClient) -> None:
    """It loads nothing, runs its own script only by a nonce of this answer, and says what the JSON says."""
    brief = await brief_with(client, 2)
    path = path_of(brief["account_id"])
    answer = await client.get(path, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    nonce = re.findall(r"script-src 'nonce-([A-Za-z0-9_-]{20,})'", policy)[0]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    page = Page(answer.text)
    assert [attributes.get("nonce") for tag, attributes in page.tags if tag in {"script", "style"}] == [
        nonce
    ] * 2
    assert not [tag for tag, attributes in page.tags if "src" in attributes or "style" in attributes]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    links = [attributes["href"] for _, attributes in page.tags if "href" in attributes]
    assert all(str(link).startswith(("#", "?", "../", "data:,")) for link in links)
    for one in brief["actions"]:
        assert one["action"]["title"] in page.text
        assert one["simulation"]["read_back"] in page.text
    for signal in brief["signals"]["raising"]:
        assert signal["text"] in page.text
    assert brief["sources"]["policy"] in page.text
    labelled = {attributes.get("for") for tag, attributes in page.tags if tag == "label"}
    fields = {
        attributes["id"] for tag, attributes in page.tags if tag == "input" and attributes["type"] == "text"
    }
    assert fields <= labelled
    again = await client.get(f"{path}?format=html")
    assert nonce not in again.text


async def test_a_hostile_account_stays_text(client: httpx.AsyncClient, hostile_account: str) -> None:
    """Ids and features that are HTML, script or a template are shown as they are and become nothing else."""
    answer = await client.get(f"{path_of(hostile_account)}?format=html")
    assert answer.status_code == 200
    page = Page(answer.text)
    assert hostile_account in page.text
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1
    assert "b" not in {tag for tag, attributes in page.tags if tag == "b" and attributes}
    assert "<b>eu</b>" not in answer.text
    assert "<script>alert" not in answer.text
    brief = await brief_of(client, hostile_account)
    assert brief["account_id"] == hostile_account
    evil = '"><img src=x onerror=alert(1)>'
    harmed = {**brief, "applied_actions": [{
        "receipt_id": evil, "read_back": evil, "applied_at": "2026-03-01T13:00:00Z", "applied_by": evil,
        "state": "open", "rolled_back_at": None, "rolled_back_by": None, "action_key": evil,
    }]}  # fmt: skip
    assert "<img" not in render_page(harmed, "nonce").decode()


async def test_every_account_has_a_page_whatever_is_missing_of_it(client: httpx.AsyncClient) -> None:
    """A fifth of the features of the world's accounts are missing; no page fails for that, or shows what JSON lacks."""
    for account_id in [*account_ids()[:-1], IDLE]:
        answer = await client.get(path_of(account_id), headers={"accept": "text/html"})
        assert answer.status_code == 200, account_id
        text = Page(answer.text.partition("<main>")[2].partition("<script")[0]).text
        assert re.findall(r"\b(?:nan|None|inf|Undefined)\b", text) == [], account_id


@pytest.mark.parametrize("account_id", ["Acme", "a/b c?d", "zoë-\N{ROCKET}", "x" * 256])
async def test_awkward_ids_have_a_brief(client: httpx.AsyncClient, account_id: str) -> None:
    """Whatever an id is made of, JSON and page are about it."""
    assert (await brief_of(client, account_id))["account_id"] == account_id
    page = await client.get(path_of(account_id), headers={"accept": "text/html"})
    assert account_id in Page(page.text).text


async def test_an_unknown_account_and_an_impossible_one_are_problems(client: httpx.AsyncClient) -> None:
    """404 for an account that nobody knows, 422 for an id that is too long, and for a form that there is not."""
    assert_problem(await client.get(path_of("nobody")), 404, "unknown-account")
    assert_problem(await client.get(path_of("x" * 257)), 422, "malformed-body")
    answer = await client.get(f"{path_of('acme')}?format=pdf")
    assert_problem(answer, 422, "invalid-parameter")
    assert answer.json()["errors"][0]["parameter"] == "format"


async def test_the_page_says_which_checks_the_predictions_fail(client: httpx.AsyncClient) -> None:
    """What a check by rule contradicts stands on the page of the accounts that fail it, and on no other."""
    seen = set()
    for account_id in ("acme-0001", "acme-0003", "acme-0005", "acme-0007"):
        brief = (await client.get(path_of(account_id))).json()
        page = (await client.get(f"{path_of(account_id)}?format=html")).text
        owes = "expands_while_owing" in {check["id"] for check in brief["evidence"]["failed_checks"]}
        assert ("has invoices that are past due" in page) == owes
        seen.add(owes)
    assert seen == {True, False}


async def test_stale_evidence_leaves_nothing_to_apply(further_world: World, tmp_path: Path) -> None:
    """The score stands, the page says how old the data is, and there is no button."""
    settings = further_world.settings(
        ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}", clock_start=NOW + dt.timedelta(days=30)
    )
    app = KeepgrowApp(settings)
    await app.start(find_bundle(further_world.tag, further_world.home / "models"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        brief = await brief_of(client, "acme-0001")
        assert (brief["sources"]["status"], brief["actions"]) == ("stale", [])
        assert brief["sources"]["views"][0]["age_seconds"] > brief["sources"]["views"][0]["limit_seconds"]
        page = (await client.get(f"{path_of('acme-0001')}?format=html")).text
        assert "older than its limit" in page
        assert "<button" not in page
    await app.stop()


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


async def test_an_account_in_a_control_arm_is_said_to_be_in_one(client: httpx.AsyncClient) -> None:
    """Whoever reads that the action was drawn by chance does not take it for advice."""
    brief = await brief_with(client, 1)
    decision = brief["next_best_action"]
    page = {}
    for arm in ("full", "random_eligible"):
        draw = {**decision["draw"], "arm": arm, "held_out": []}
        page[arm] = render_page({**brief, "next_best_action": {**decision, "draw": draw}}, "nonce").decode()
    assert "chosen by chance" in page["random_eligible"]
    assert "chosen by chance" not in page["full"]


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
    settings = further_world.settings(
        ledger_url=f"sqlite:///{folder / 'ledger.db'}", ledger_timeout_seconds=0.5
    )
    app = KeepgrowApp(settings)
    await app.start(find_bundle(further_world.tag, further_world.home / "models"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        answer = await client.get(path_of("acme-0001"))
        assert_problem(answer, 503, "ledger-unavailable")
        assert answer.headers["retry-after"] == "1"
        folder.unlink()
        assert (await client.get(path_of("acme-0001"))).status_code == 200
    await app.stop()


@pytest.mark.parametrize(
    ("query", "accept", "wanted"),
    [
        (b"", b"", "json"),
        (b"", b"*/*", "json"),
        (b"", b"application/json", "json"),
        (b"", b"text/html", "html"),
        (b"", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        (b"", b"application/json, text/html;q=0.5", "json"),
        (b"", b"text/html; q=0", "json"),
        (b"", b"text/*", "html"),
        (b"", b"\xff;q=9, text/html;q=nan", "html"),
        (b"format=html", b"application/json", "html"),
        (b"format=json&x=1", b"text/html", "json"),
    ],
)
def test_the_form_is_as_asked_for(query: bytes, accept: bytes, wanted: str) -> None:
    """`format` goes first, then `Accept` by its weights, then JSON."""
    assert wanted_format(query, accept) == wanted


@pytest.mark.parametrize("query", [b"format=", b"format=HTML", b"format=json&format=html", b"format=%ff"])
def test_another_form_is_refused(query: bytes) -> None:
    """A value that `format` can't have is a problem, not a guess."""
    with pytest.raises(ProblemError, match="format"):
        wanted_format(query, b"text/html")


async def test_a_second_person_sees_the_simulation_that_waits_for_them(client: httpx.AsyncClient) -> None:
    """`simulation_id` shows an earlier simulation of the account with who agreed so far, also on the page."""
    brief = await brief_with(client, 1)
    path, simulation = path_of(brief["account_id"]), brief["actions"][0]["simulation"]
    simulation_id = simulation["simulation_id"]
    assert brief["shared_simulation"] is None
    note = await client.post(f"/v1/actions/{simulation_id}/approve", json={}, headers=BOB)
    assert note.status_code == 200
    answer = await client.get(f"{path}?simulation_id={simulation_id}")
    jsonschema.validate(answer.json(), schema_of("BriefAnswer"))
    shared = answer.json()["shared_simulation"]
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
