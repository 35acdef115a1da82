"""`trend=true` over HTTP: one account's change since 30 days ago, from what a batch job brought to the store."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import jsonschema
import pytest
import redis

from serving.earlier_scores import KEPT_SECONDS, PREFIX, EarlierScores
from serving.features.client import make_link
from serving.scoring.trend import EarlierScore
from tests.serving.api.test_problems import assert_problem
from tests.serving.documented import schema_of
from tests.serving.world import END

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.serving.conftest import World

SCORE, ROCKET = "/v1/score", "zo\u00eb-\N{ROCKET}"
THEN = END - dt.timedelta(days=30)


@pytest.fixture
async def brought(world: World) -> AsyncIterator[World]:
    """Return the world in which a batch job brought two accounts' earlier scores, one of them by another model."""
    store = EarlierScores(make_link(world.redis_url))
    found = [
        (ROCKET, EarlierScore(THEN, 0.25, world.tag)),
        ("acme", EarlierScore(THEN, 0.25, "keepgrow:old")),
    ]
    assert await store.bring(found, 5.0) == 2
    yield world
    await store.close()
    with redis.Redis.from_url(world.redis_url) as client:
        assert 0 < client.ttl(PREFIX + b"acme") <= KEPT_SECONDS
        client.delete(*(PREFIX + name.encode() for name, _ in found))


@pytest.mark.usefixtures("brought")
async def test_score_and_card_of_one_account_tell_the_trend(client: httpx.AsyncClient) -> None:
    """Score, exact score and card say the same change, of the documented form, and nothing unless asked."""
    body = {"account_id": ROCKET}
    score = (await client.post(f"{SCORE}?trend=true", json=body)).json()
    jsonschema.validate(score, schema_of("ScoreAnswer"))
    assert score["trend"]["churn_risk_score_change"] == score["churn_risk_score"] - 25
    assert score["trend"]["since"]["as_of"] == "2026-01-30T00:00:00Z"
    exact = (await client.post(f"{SCORE}?trend=true&explain=exact", json=body)).json()
    card = (await client.get(f"/v1/accounts/{ROCKET}?trend=true")).json()
    jsonschema.validate(card, schema_of("AccountCard"))
    assert exact["trend"] == card["trend"] == score["trend"]
    assert "trend" not in (await client.post(SCORE, json=body)).json()
    assert "trend" not in (await client.get(f"/v1/accounts/{ROCKET}")).json()


@pytest.mark.usefixtures("brought")
@pytest.mark.parametrize(("account", "code"), [("acme", "another_model"), ("Acme", "no_earlier_score")])
async def test_without_a_comparable_score_the_trend_is_null_and_says_why(
    client: httpx.AsyncClient, account: str, code: str
) -> None:
    """What is not on record, or was said by another model, is null with a reason."""
    answer = (await client.post(f"{SCORE}?trend=true", json={"account_id": account})).json()
    jsonschema.validate(answer, schema_of("ScoreAnswer"))
    assert answer["trend"]["churn_risk_score_change"] is None
    assert answer["trend"]["reason"]["code"] == code


@pytest.mark.parametrize(
    ("query", "body"),
    [("trend=yes", {"account_id": "acme"}), ("trend=true", {"account_ids": ["acme", "Acme"]})],
)
async def test_another_wish_for_a_trend_is_422(
    client: httpx.AsyncClient, query: str, body: dict[str, object]
) -> None:
    """Another value, and several accounts, are refused and the parameter named; the card refuses likewise."""
    answer = await client.post(f"{SCORE}?{query}", json=body)
    assert_problem(answer, 422, "invalid-parameter")
    assert [error["parameter"] for error in answer.json()["errors"]] == ["trend"]
    assert_problem(await client.get("/v1/accounts/acme?trend=1"), 422, "invalid-parameter")
