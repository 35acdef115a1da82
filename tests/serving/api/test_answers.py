"""What the endpoints answer when all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import jsonschema
import pytest

from serving.api.card_responses import AccountCard
from serving.api.responses import DecisionAnswer, ScoreAnswer
from serving.decisions.catalogue import load_catalogue
from serving.decisions.holdouts import Holdouts
from tests.serving.documented import schema_of
from tests.serving.world import account_ids

if TYPE_CHECKING:
    import httpx

    from serving.app import KeepgrowApp
    from tests.serving.conftest import World

JSON = {"content-type": "application/json"}
INTERVALS = {"churn_interval_90", "upsell_interval_90"}
"""Members that only a bundle with intervals has; `test_outlook` is about one."""


async def test_one_account_gets_one_object_of_the_documented_form(client: httpx.AsyncClient) -> None:
    """`account_id` is answered by one score that fits the OpenAPI schema; its probabilities never fall."""
    answer = await client.post("/v1/score", json={"account_id": "acme-0001"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    score = answer.json()
    jsonschema.validate(score, schema_of("ScoreAnswer"))
    assert score["account_id"] == "acme-0001"
    churn = score["churn_probability"]
    assert list(churn) == ["30d", "60d", "90d"]
    assert churn["30d"] <= churn["60d"] <= churn["90d"]
    assert abs(score["churn_risk_score"] - 100 * churn["90d"]) <= 0.5001
    assert score["evidence"]["status"] == "full"
    assert score["evidence"]["clock"] == "demonstration"
    assert set(score) == set(ScoreAnswer.model_fields) - INTERVALS - {"trend"}


async def test_several_accounts_get_scores_in_order_and_a_problem_for_each_unknown_one(
    client: httpx.AsyncClient,
) -> None:
    """`account_ids` keeps the order of the known accounts and names each unknown account with its problem."""
    wanted = ["acme-0007", "nobody", "acme", "Acme", "no one\n"]
    answer = await client.post("/v1/score", json={"account_ids": wanted})
    assert answer.status_code == 200
    assert [score["account_id"] for score in answer.json()["scores"]] == ["acme-0007", "acme", "Acme"]
    errors = answer.json()["errors"]
    assert [error["account_id"] for error in errors] == ["nobody", "no one\n"]
    assert {error["type"] for error in errors} == {"urn:keepgrow:problem:unknown-account"}
    assert {error["status"] for error in errors} == {404}
    jsonschema.validate(answer.json(), schema_of("ScoresAnswer"))


async def test_a_batch_says_the_same_as_single_requests(client: httpx.AsyncClient) -> None:
    """An account's score does not depend on the accounts that are scored with it."""
    ids = account_ids(20)
    many = (await client.post("/v1/score", json={"account_ids": ids})).json()["scores"]
    for account_id, among_many in zip(ids, many, strict=True):
        alone = (await client.post("/v1/score", json={"account_id": account_id})).json()
        alone.pop("evidence")
        among_many.pop("evidence")
        assert alone == among_many


@pytest.mark.parametrize("account_id", account_ids(5))
async def test_awkward_ids_are_found_in_the_body_and_in_the_path(
    client: httpx.AsyncClient, account_id: str
) -> None:
    """Ids that differ by case, hold slashes, emoji or 256 bytes reach their own account by either road."""
    by_body = await client.post("/v1/score", json={"account_id": account_id})
    by_path = await client.get(f"/v1/accounts/{quote(account_id, safe='')}")
    assert by_body.json()["account_id"] == by_path.json()["account_id"] == account_id
    assert by_body.json()["churn_probability"] == by_path.json()["churn_probability"]


async def test_the_next_best_action_has_the_documented_form(client: httpx.AsyncClient) -> None:
    """Every account gets a decision that fits the schema and names every action of the catalogue once."""
    for account_id in account_ids(20):
        answer = await client.post("/v1/next-best-action", json={"account_id": account_id})
        decision = answer.json()
        jsonschema.validate(decision, schema_of("DecisionAnswer"))
        assert set(decision) == set(DecisionAnswer.model_fields)
        named = [refusal["action"] for refusal in decision["refused"]]
        named += [alternative["action"]["key"] for alternative in decision["alternatives"]]
        named += [decision["action"]["key"]] if decision["action"] else []
        assert sorted(named) == sorted(action.key for action in load_catalogue().actions)


async def test_a_surface_gets_only_actions_that_are_shown_there(client: httpx.AsyncClient) -> None:
    """With `surface` in_app, neither the action nor an alternative is for another place."""
    for account_id in account_ids(20):
        body = {"account_id": account_id, "surface": "in_app"}
        decision = (await client.post("/v1/next-best-action", json=body)).json()
        shown = [alternative["action"] for alternative in decision["alternatives"]]
        shown += [decision["action"]] if decision["action"] else []
        assert all(action["channel"] == "in_app" for action in shown)


async def test_the_account_card_holds_score_profile_and_decision(client: httpx.AsyncClient) -> None:
    """The card is the score, the profile in the features' own types, and the decision, in one answer."""
    card = (await client.get("/v1/accounts/acme-0003")).json()
    jsonschema.validate(card, schema_of("AccountCard"))
    assert set(card) == set(AccountCard.model_fields) - INTERVALS - {"trend"}
    score = (await client.post("/v1/score", json={"account_id": "acme-0003"})).json()
    assert {key: card[key] for key in score if key != "evidence"} == {
        key: value for key, value in score.items() if key != "evidence"
    }
    assert isinstance(card["profile"]["seats"], int)
    assert card["profile"]["has_active_subscription"] is True
    assert card["next_best_action"]["account_id"] == "acme-0003"
    year = 12 * card["profile"]["mrr"] * card["churn_probability"]["90d"]
    assert card["revenue_at_risk"]["amount"] == pytest.approx(year, abs=0.01)
    assert card["intervention_window"] in {"early", "timely", "reactive", "emergency"}


async def test_models_lists_what_is_served_and_links_its_card(
    client: httpx.AsyncClient, world: World
) -> None:
    """`/v1/models` names the bundle and its contract, and the linked card is the page in the bundle."""
    model = (await client.get("/v1/models")).json()["models"][0]
    assert model["model"] == world.tag
    assert model["feature_contract"] == world.contract.hash
    assert [head["name"] for head in model["heads"]] == ["churn", "upsell"]
    card = await client.get(model["card"])
    assert card.status_code == 200
    assert card.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in card.headers["content-security-policy"]
    assert (await client.get("/models/keepgrow:other")).status_code == 404


async def test_ready_when_loaded_and_the_store_answers(client: httpx.AsyncClient, world: World) -> None:
    """`/livez` and `/readyz` answer 200, and readiness names the bundle."""
    assert (await client.get("/livez")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"status": "ready", "model": world.tag}


async def test_ids_of_request_and_trace_are_echoed(client: httpx.AsyncClient) -> None:
    """A well-formed `X-Request-Id` and `traceparent` come back; malformed ones don't."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await client.get("/livez", headers={"x-request-id": "abc-1", "traceparent": trace})
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.headers["traceparent"] == trace
    bad = await client.get("/livez", headers={"x-request-id": "a" * 129, "traceparent": "00-xyz"})
    assert bad.headers["x-request-id"] not in {"", "a" * 129}
    assert "traceparent" not in bad.headers


async def test_head_sends_headers_without_a_body(client: httpx.AsyncClient) -> None:
    """HEAD on a GET path has the length of the body, and no body."""
    got, head = await client.get("/livez"), await client.head("/livez")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(got.content))


async def test_holdouts_tell_what_decisions_keep_to(client: httpx.AsyncClient, app: KeepgrowApp) -> None:
    """An account that is held out is told so, and its decision falls at that stage; the others differ."""
    app.state.policy.holdouts = Holdouts(salt="half", share=0.5, programmes={"value_unlock": 0.5})
    held = []
    for account_id in account_ids():
        answer = await client.get(f"/v1/holdouts/{quote(account_id, safe='')}")
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), schema_of("HoldoutAnswer"))
        assert answer.json()["held_out"] == ("global" in app.state.policy.holdouts.of(account_id))
        held += [account_id] if answer.json()["held_out"] else []
    assert 0 < len(held) < len(account_ids())
    decision = (await client.post("/v1/next-best-action", json={"account_id": held[0]})).json()
    jsonschema.validate(decision, schema_of("DecisionAnswer"))
    assert decision["action"] is None
    assert {refusal["stage"] for refusal in decision["refused"]} == {"holdout"}


async def test_metrics_have_bounded_labels(client: httpx.AsyncClient) -> None:
    """Requests are counted by route template and outcome; no account id or unknown path becomes a label."""
    got = [
        await client.get("/v1/accounts/acme-0003"),
        await client.get("/secret-path-17"),
        await client.post("/v1/score", json={"account_id": "someone-unknown-17"}),
    ]
    assert [response.status_code for response in got] == [200, 404, 404]
    text = (await client.get("/metrics")).text
    assert 'endpoint="/v1/accounts/{account_id}",outcome="ok"' in text
    assert 'endpoint="unmatched",outcome="client_error"' in text
    assert 'endpoint="/v1/score",outcome="unknown_account"' in text
    assert "acme-0003" not in text
    assert "17" not in "".join(line for line in text.splitlines() if "secret" in line or "someone" in line)
    assert "keepgrow_requests_in_flight 0.0" in text
    assert "keepgrow_bundle_info{" in text


async def test_latencies_are_counted_with_edges_at_what_is_promised(client: httpx.AsyncClient) -> None:
    """Requests by endpoint and outcome, reads of the store and scoring have edges from 1 to 100 ms."""
    assert (await client.post("/v1/score", json={"account_id": "acme-0001"})).status_code == 200
    text = (await client.get("/metrics")).text
    for series in (
        'keepgrow_http_request_duration_seconds_bucket{endpoint="/v1/score",le="EDGE",outcome="ok"}',
        'keepgrow_store_read_duration_seconds_bucket{le="EDGE",outcome="ok"}',
        'keepgrow_scoring_duration_seconds_bucket{le="EDGE"}',
    ):
        for edge in ("0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1"):
            assert series.replace("EDGE", edge) in text
    assert 'keepgrow_scores_total{evidence="full"}' in text
