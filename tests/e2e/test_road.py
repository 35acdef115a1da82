"""From raw tables to an answer, with real Valkey, Feast, LightGBM, ONNX Runtime and BentoML."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyarrow.dataset as ds
import pytest
import redis

from keepgrow.online_store import claim_store

pytestmark = pytest.mark.e2e


def test_a_score_says_probabilities_tier_signals_ages_and_versions(service):
    """One account's score has every part of the contract, with horizons that never fall."""
    account = service.account_ids()[0]
    answer = httpx.post(f"{service.url}/v1/score", json={"account_id": account}).json()
    assert answer["account_id"] == account
    churn, upsell = answer["churn_probability"], answer["upsell_probability"]
    for probabilities in (churn, upsell):
        assert 0 <= probabilities["30d"] <= probabilities["60d"] <= probabilities["90d"] <= 1
    assert answer["churn_risk_score"] == int(churn["90d"] * 100 + 0.5)
    assert answer["churn_risk_tier"] in {"low", "medium", "high", "critical"}
    assert answer["signals"]["raising"] or answer["signals"]["lowering"]
    for signals in answer["signals"].values():
        if isinstance(signals, list):
            assert len(signals) <= 3
            assert all(
                signal["text"] and "feature" in signal and "contribution" in signal for signal in signals
            )
    assert answer["evidence"]["status"] in {"full", "thin"}
    assert answer["evidence"]["clock"] == "demonstration"
    assert set(answer["evidence"]["views"]) == {
        "usage", "adoption", "sentiment", "commercial", "engagement", "profile", "health", "peers",
    }  # fmt: skip
    assert answer["model"].startswith("keepgrow:")
    assert answer["feature_contract"].startswith("sha256:")


def test_scores_differ_between_accounts(service):
    """Accounts get scores of their own, and one request for many agrees with many requests for one."""
    ids = service.account_ids()[:50]
    block = httpx.post(f"{service.url}/v1/score", json={"account_ids": ids}).json()
    assert [score["account_id"] for score in block["scores"]] == ids
    assert len({score["churn_probability"]["90d"] for score in block["scores"]}) > 5
    one = httpx.post(f"{service.url}/v1/score", json={"account_id": ids[7]}).json()
    assert one["churn_probability"] == block["scores"][7]["churn_probability"]


def test_a_decision_says_what_it_rests_on_and_accounts_for_every_candidate(service):
    """The next best action says its basis, or why there is none, and lists what was refused by which rule."""
    kinds = set()
    for account in service.account_ids()[:60]:
        body = {"account_id": account, "surface": "in_app"}
        answer = httpx.post(f"{service.url}/v1/next-best-action", json=body).json()
        assert answer["basis"] in {"uplift", "prior"}
        assert answer["reason"]["code"]
        assert answer["reason"]["text"]
        for refusal in answer["refused"]:
            assert refusal["stage"]
            assert refusal["rule"]
        kinds.add(answer["action"]["type"] if answer["action"] else None)
    assert len(kinds) > 1


@pytest.mark.parametrize(
    ("path", "kwargs", "status"),
    [
        ("/v1/score", {"json": {"account_id": "nobody-of-that-name"}}, 404),
        ("/v1/score", {"content": b"{", "headers": {"content-type": "application/json"}}, 422),
        ("/v1/score", {"json": {"account_id": 7}}, 422),
        ("/v1/score", {"json": {"account_ids": [f"a{i}" for i in range(501)]}}, 413),
        ("/v1/score", {"content": b"a=b", "headers": {"content-type": "text/plain"}}, 415),
        ("/v1/score", {"content": b" " * 10_000_000, "headers": {"content-type": "application/json"}}, 413),
        ("/v1/next-best-action", {"json": {"account_id": "nobody-of-that-name"}}, 404),
        ("/v1/nothing-here", {"json": {}}, 404),
    ],
)
def test_a_wrong_request_gets_a_problem_document(service, path, kwargs, status):
    """Every refusal is RFC 9457 problem+json with the status that the contract names."""
    answer = httpx.post(service.url + path, **kwargs)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["status"] == status
    assert answer.json()["type"]


def test_openapi_docs_metrics_and_card_are_there(service):
    """The pages that `keepgrow up` names answer."""
    openapi = httpx.get(f"{service.url}/openapi.json").json()
    assert {"/v1/score", "/v1/next-best-action", "/livez", "/readyz", "/metrics"} <= set(openapi["paths"])
    assert "<html" in httpx.get(f"{service.url}/docs").text
    assert "keepgrow_" in httpx.get(f"{service.url}/metrics").text
    tag = (service.workspace / "model-tag.txt").read_text().strip()
    assert "synthetic" in httpx.get(f"{service.url}/models/{tag}").text


def test_bentoml_client_gets_the_same_scores(service):
    """BentoML's own client calls the same core."""
    account = service.account_ids()[3]
    code = (
        "import bentoml, json, sys\n"
        "with bentoml.SyncHTTPClient(sys.argv[1]) as client:\n"
        "    print(json.dumps(client.score(account_id=sys.argv[2]), default=str))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, service.url, account],
        env=service.place.env, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    direct = httpx.post(f"{service.url}/v1/score", json={"account_id": account}).json()
    assert json.loads(printed)["churn_probability"] == direct["churn_probability"]


def test_batch_output_equals_the_service(service):
    """`keepgrow score` and `/v1/score` say the same of the same features."""
    out = service.place.root / "scores"
    features = service.workspace / "features"
    tag = (service.workspace / "model-tag.txt").read_text().strip()
    catalogue = {"KEEPGROW_CATALOGUE": str(service.place.root / "world" / "catalogue.yaml")}
    end = dt.date(2026, 6, 30)
    service.place.run(
        "score", "--as-of", end.isoformat(), "--out", str(out), "--features", str(features),
        extra={**catalogue, "KEEPGROW_MODEL": tag},
    )  # fmt: skip
    table = ds.dataset(out, format="parquet").to_table().to_pylist()
    batch = {row["account_id"]: row for row in table}
    ids = service.account_ids()
    assert set(ids) <= set(batch)
    live = httpx.post(f"{service.url}/v1/score", json={"account_ids": ids[:300]}).json()["scores"]
    for score in live:
        row = batch[score["account_id"]]
        assert row["churn_risk_score"] == score["churn_risk_score"]
        assert row["churn_risk_tier"] == score["churn_risk_tier"]
        assert row["churn_probability_90d"] == pytest.approx(score["churn_probability"]["90d"], abs=1e-6)


def test_forty_callers_at_once_all_get_answers(service):
    """Concurrent callers each get their own account's answer."""
    ids = (service.account_ids() * 2)[:200]
    with httpx.Client() as client, ThreadPoolExecutor(40) as pool:
        answers = list(
            pool.map(lambda one: client.post(f"{service.url}/v1/score", json={"account_id": one}), ids)
        )
    assert [answer.json()["account_id"] for answer in answers] == ids


def test_a_second_start_is_quick_and_a_stopped_one_goes_on(prepared):
    """`keepgrow up` can be stopped in the middle, goes on, and makes nothing twice."""
    assert "Stopped" in prepared.stopped
    assert prepared.code == 130
    steps = ("check", "features", "store", "model")
    assert [step for step in steps if f"{step}: current" in prepared.went_on] == ["check"]
    assert [step for step in steps if f"{step}: current" in prepared.again] == list(steps)
    assert prepared.seconds_again < 60


def test_a_store_that_holds_another_folders_features_is_left_alone(
    service, small_world, valkey_url, tmp_path
):
    """On one shared server `keepgrow up` tells two data folders apart, and refuses in one sentence to mix them."""
    url = valkey_url.removesuffix("/0") + "/11"
    claim_store(url, tmp_path / "other", shared=True)
    said = service.place.run(
        "up", "--data", str(small_world), "--prepare-only", code=2, extra={"REDIS_URL": url}
    )
    assert "check: current" in said
    assert f"holds the features of {tmp_path / 'other'}" in said
    assert str(small_world) in said
    with redis.Redis.from_url(url) as client:
        assert client.dbsize() == 1
        client.flushdb()
