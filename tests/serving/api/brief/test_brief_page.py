"""The brief as a page: when it is one, what it loads and shows, and what account data can't make of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import redis

from serving.api.brief import wanted_format
from serving.api.problems import ProblemError
from serving.brief.page import render_page
from serving.features.keys import EntityKeys
from tests.serving.api.brief.asked import brief_of, brief_with, path_of
from tests.serving.world import IDLE, account_ids, write_online

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.serving.conftest import World

HOSTILE = "\"><script>alert('x')</script>&amp;{{7*7}}\N{RIGHT-TO-LEFT OVERRIDE}\N{ROCKET}</title>"


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
