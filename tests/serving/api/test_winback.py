"""Over HTTP: what is said of an account that has left, of one that has not, and of its card."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import redis

from tests.serving.api.conftest import client_of, started
from tests.serving.documented import fits
from tests.serving.world import departed, write_online

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx

    from tests.serving.conftest import World

GONE, LATELY, PAYS = "acme-0001", "acme-0002", "acme-0003"
DATABASE = 12


@pytest.fixture(scope="module")
def departed_world(further_world: World, valkey_url: str) -> Iterator[World]:
    """Return the world in a store of its own, where one account has left and one lies within the grace days."""
    url = valkey_url.removesuffix("/0") + f"/{DATABASE}"
    features = departed(further_world.features, {GONE: 77.0, LATELY: 12.0})
    write_online(url, further_world.contract, features)
    yield dataclasses.replace(further_world, features=features, redis_url=url)
    with redis.Redis.from_url(url) as client:
        client.flushdb()


@pytest.fixture
async def asked(departed_world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the service on it."""
    async with started(departed_world) as app, client_of(app) as client:
        yield client


async def test_one_that_has_left_has_a_chance_and_others_null(asked: httpx.AsyncClient) -> None:
    """Chance by horizon, MRR and evidence of the one; null of who left lately or pays; alone and among others alike."""
    alone = {}
    for account in (GONE, LATELY, PAYS):
        answer = await asked.post("/v1/score", json={"account_id": account})
        alone[account] = fits(answer, "ScoreAnswer")["winback"]
    assert alone[LATELY] is None
    assert alone[PAYS] is None
    told = alone[GONE]
    assert set(told) == {"probability", "interval_90", "mrr_at_end", "evidence"}
    assert list(told["probability"]) == list(told["interval_90"]) == ["30d", "60d", "90d"]
    for horizon, (low, high) in told["interval_90"].items():
        assert 0 <= low < told["probability"][horizon] < high <= 1
    assert sorted(told["probability"].values()) == list(told["probability"].values())
    assert told["mrr_at_end"] == 1_250.0
    assert told["evidence"] == {
        "status": "full", "reasons": [], "days_since_end": 77, "ended_unpaid": False, "times_left": 1,
    }  # fmt: skip
    bare = {**alone, GONE: {name: value for name, value in told.items() if name != "interval_90"}}
    for query, expected in (
        ("", bare), ("?intervals=true", alone), ("?explain=exact", bare), ("?explain=exact&intervals=true", alone),
    ):  # fmt: skip
        body = {"account_ids": [PAYS, GONE, LATELY]}
        several = fits(await asked.post(f"/v1/score{query}", json=body), "ScoresAnswer")["scores"]
        assert {one["account_id"]: one["winback"] for one in several} == expected
    exactly = (await asked.post("/v1/score?explain=exact", json={"account_id": GONE})).json()
    assert exactly["winback"] == told


async def test_the_card_says_the_same(asked: httpx.AsyncClient) -> None:
    """The account card has what the score has."""
    for account in (GONE, PAYS):
        score = (await asked.post("/v1/score", json={"account_id": account})).json()
        card = fits(await asked.get(f"/v1/accounts/{account}"), "AccountCard")
        assert card["winback"] == score["winback"]
