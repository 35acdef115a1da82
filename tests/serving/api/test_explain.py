"""`POST /v1/score?explain=exact`: the account's own reasons, over HTTP."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING

import httpx
import jsonschema
import lightgbm as lgb
import numpy as np
import pytest

from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from serving.features.reader import OnlineReader
from serving.scoring.exact import MOST_ACCOUNTS, exact_reasons
from tests.serving.api.test_problems import assert_problem
from tests.serving.documented import schema_of
from tests.serving.world import IDLE, account_ids

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.conftest import World

SCORE, EXACT = "/v1/score", "/v1/score?explain=exact"


def without_reasons(score: dict) -> dict:
    """Return what does not depend on how reasons are made, nor on the second."""
    return {key: value for key, value in score.items() if key not in {"signals", "evidence"}}


async def test_exact_reasons_are_lightgbms_over_http(client: httpx.AsyncClient, world: World) -> None:
    """Each feature's contribution equals LightGBM's, weighted by interval; answers add up; the rest is as without."""
    bundle = world.bundle
    reader = OnlineReader(bundle.manifest, world.redis_url)
    head = bundle.manifest.head("churn")
    texts = [(bundle.path / "boosters" / f"churn_{days}d.txt").read_text() for days in head.horizons_days]
    boosters = [lgb.Booster(model_str=text) for text in texts]
    for account_id in account_ids(6):
        exact = (await client.post(EXACT, json={"account_id": account_id})).json()
        jsonschema.validate(exact, schema_of("ExplainedScoreAnswer"))
        usual = (await client.post(SCORE, json={"account_id": account_id})).json()
        assert without_reasons(exact) == without_reasons(usual)
        assert exact["signals"]["method"] == "exact_treeshap"
        assert usual["signals"]["method"] == "leaf_averaged_treeshap"
        assert "contributions" not in usual["signals"]
        row = (await reader.read([account_id], 5)).matrix
        margins = [booster.predict(row, raw_score=True)[0] for booster in boosters]
        hazards = [
            1 / (1 + np.exp(-(platt.slope * margin + platt.intercept)))
            for platt, margin in zip(head.calibrations, margins, strict=True)
        ]
        left = 1 - np.prod([1 - hazard for hazard in hazards])
        explained = [booster.predict(row, pred_contrib=True)[0] for booster in boosters]
        starts = [
            1 / (1 + np.exp(-(platt.slope * found[-1] + platt.intercept)))
            for platt, found in zip(head.calibrations, explained, strict=True)
        ]
        start = 1 - np.prod([1 - hazard for hazard in starts])
        rise = np.log(left / (1 - left)) - np.log(start / (1 - start))
        grown = [np.log((1 - before) / (1 - hazard)) for before, hazard in zip(starts, hazards, strict=True)]
        expected = sum(
            grew / found[:-1].sum() * rise / sum(grown) * found[:-1]
            for grew, found in zip(grown, explained, strict=True)
        )
        base = exact["signals"]["base"]
        assert base == usual["signals"]["base"]
        assert base["log_odds"] == pytest.approx(np.log(start / (1 - start)), abs=1e-8)
        assert base["probability"] == pytest.approx(start, abs=1e-6)
        for answer in (exact, usual):
            shown = [
                one["contribution"] for side in ("raising", "lowering") for one in answer["signals"][side]
            ]
            whole = base["log_odds"] + sum(shown) + answer["signals"]["others"]
            assert whole == pytest.approx(np.log(left / (1 - left)), abs=1.1e-4)
        names = [feature.name for feature in world.contract.model_features]
        assert exact["signals"]["contributions"] == pytest.approx(
            dict(zip(names, expected, strict=True)), abs=1e-8
        )
    await reader.close()


async def test_a_few_accounts_get_exact_reasons_and_more_are_too_many(client: httpx.AsyncClient) -> None:
    """Up to 20 accounts are explained in their order, each as alone; 21 are refused, and 21 without are not."""
    ids = account_ids(MOST_ACCOUNTS + 1)
    asked = [*ids[: MOST_ACCOUNTS - 1], "nobody"]
    several = (await client.post(EXACT, json={"account_ids": asked})).json()
    jsonschema.validate(several, schema_of("ScoresAnswer"))
    assert [score["account_id"] for score in several["scores"]] == asked[:-1]
    assert [error["account_id"] for error in several["errors"]] == ["nobody"]
    alone = (await client.post(EXACT, json={"account_id": asked[3]})).json()
    assert several["scores"][3]["signals"] == alone["signals"]
    assert_problem(await client.post(EXACT, json={"account_ids": ids}), 413, "too-many-accounts")
    assert (await client.post(SCORE, json={"account_ids": ids})).status_code == 200


async def test_an_unknown_account_is_404_also_when_it_should_be_explained(client: httpx.AsyncClient) -> None:
    """There is nothing to explain of an account that the store lacks."""
    assert_problem(await client.post(EXACT, json={"account_id": "nobody"}), 404, "unknown-account")


@pytest.mark.parametrize(
    "query",
    ["explain=", "explain", "explain=EXACT", "explain=shap", "explain=exact&explain=no", "explain=%ff"],
)
async def test_another_way_to_explain_is_422(client: httpx.AsyncClient, query: str) -> None:
    """Whatever is not `exact` is refused and the parameter named, rather than silently left out."""
    answer = await client.post(f"{SCORE}?{query}", json={"account_id": "acme-0001"})
    assert_problem(answer, 422, "invalid-parameter")
    assert [error["parameter"] for error in answer.json()["errors"]] == ["explain"]


@pytest.mark.parametrize(
    "query", ["", "x=1", "explained=no", "explain=exact&x=1", "explain=exact&explain=exact"]
)
async def test_other_parameters_are_left_alone(client: httpx.AsyncClient, query: str) -> None:
    """Parameters that nobody defined change nothing."""
    answer = await client.post(f"{SCORE}?{query}", json={"account_id": IDLE})
    assert answer.status_code == 200
    assert ("contributions" in answer.json()["signals"]) == ("explain=exact" in query)


async def test_others_are_answered_while_reasons_are_computed(
    app: KeepgrowApp, client: httpx.AsyncClient
) -> None:
    """Exact reasons are made beside the event loop: while 20 accounts are explained, it goes on turning."""
    assert app.state is not None
    exact_reasons.cache_clear()  # so that the texts are read as well
    explaining = asyncio.create_task(client.post(EXACT, json={"account_ids": account_ids(MOST_ACCOUNTS)}))
    turns, answered = 0, 0
    begun = time.perf_counter()
    while not explaining.done():
        turns += 1
        answered += (await client.post(SCORE, json={"account_id": "acme-0001"})).status_code == 200
    assert (await explaining).status_code == 200
    assert answered == turns
    assert turns >= 2, f"one turn in {time.perf_counter() - begun:.3f} s"


async def test_a_bundle_without_its_texts_still_scores(world: World, tmp_path: Path) -> None:
    """Where the bundle can't tell exact reasons, that is a problem of its own, and scores go on."""
    copy = tmp_path / "copy"
    shutil.copytree(find_bundle(world.tag, world.home / "models"), copy)
    shutil.rmtree(copy / "boosters")
    app = KeepgrowApp(world.settings())
    await app.start(copy)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://keepgrow.test"
    ) as client:
        answer = await client.post(EXACT, json={"account_id": "acme-0001"})
        assert_problem(answer, 501, "exact-reasons-unavailable")
        assert str(copy) not in answer.text
        assert (await client.post(SCORE, json={"account_id": "acme-0001"})).status_code == 200
    await app.stop()
