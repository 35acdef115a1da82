"""Intervals, outlook and learnt effects over HTTP, with a bundle that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema
import pytest

from serving.api.card_responses import AccountCard
from serving.api.responses import DecisionAnswer, ScoreAnswer
from tests.serving.api.test_answers import INTERVALS
from tests.serving.api.test_explain import without_reasons
from tests.serving.api.test_problems import assert_problem
from tests.serving.catalogues import whatever_happens
from tests.serving.documented import schema_of
from tests.serving.world import account_ids

if TYPE_CHECKING:
    import httpx

    from serving.app import KeepgrowApp

SCORE = "/v1/score"


async def test_one_account_gets_intervals_and_several_who_ask_for_them(
    further_client: httpx.AsyncClient,
) -> None:
    """A single score has intervals; several have the same ones with `intervals=true`, and none without."""
    ids = account_ids(12)
    plain = (await further_client.post(SCORE, json={"account_ids": ids})).json()
    asked = (
        await further_client.post(f"{SCORE}?intervals=true", json={"account_ids": [*ids, "nobody"]})
    ).json()
    jsonschema.validate(asked, schema_of("ScoresAnswer"))
    assert [error["account_id"] for error in asked["errors"]] == ["nobody"]
    for without, among in zip(plain["scores"], asked["scores"], strict=True):
        alone = (await further_client.post(SCORE, json={"account_id": among["account_id"]})).json()
        jsonschema.validate(alone, schema_of("ScoreAnswer"))
        assert set(alone) == set(ScoreAnswer.model_fields) - {"trend"}
        assert not INTERVALS & set(without)
        assert {**alone, "evidence": None} == {**among, "evidence": None}
        for name in INTERVALS:
            assert list(alone[name]) == ["30d", "60d", "90d"]
            assert all(0 <= low <= high <= 1 for low, high in alone[name].values())


async def test_exact_reasons_go_with_intervals(further_client: httpx.AsyncClient) -> None:
    """`explain=exact` changes reasons only: one account has intervals, several if they ask."""
    exact = (await further_client.post(f"{SCORE}?explain=exact", json={"account_id": "acme"})).json()
    usual = (await further_client.post(SCORE, json={"account_id": "acme"})).json()
    assert without_reasons(exact) == without_reasons(usual)
    several = {"account_ids": ["acme", "Acme"]}
    without = (await further_client.post(f"{SCORE}?explain=exact", json=several)).json()
    with_them = (await further_client.post(f"{SCORE}?explain=exact&intervals=true", json=several)).json()
    assert not INTERVALS & set(without["scores"][0])
    assert with_them["scores"][0]["churn_interval_90"] == usual["churn_interval_90"]


@pytest.mark.parametrize(
    "query", ["intervals=", "intervals", "intervals=yes", "intervals=true&intervals=false"]
)
async def test_another_wish_for_intervals_is_422(further_client: httpx.AsyncClient, query: str) -> None:
    """Whatever is not `true` is refused and the parameter named."""
    answer = await further_client.post(f"{SCORE}?{query}", json={"account_ids": ["acme"]})
    assert_problem(answer, 422, "invalid-parameter")
    assert [error["parameter"] for error in answer.json()["errors"]] == ["intervals"]


async def test_the_card_tells_what_lies_ahead(further_client: httpx.AsyncClient) -> None:
    """Trajectory, a year's expansion, money, window and time stand on the card, beside the score with intervals."""
    for number in range(1, 9):
        card = (await further_client.get(f"/v1/accounts/acme-000{number}")).json()
        jsonschema.validate(card, schema_of("AccountCard"))
        assert set(card) == set(AccountCard.model_fields) - {"trend"}
        trajectory = card["health_trajectory"]
        assert sum(trajectory["probability"].values()) == pytest.approx(1.0, abs=1e-5)
        assert trajectory["probability"][trajectory["most_likely"]] == max(trajectory["probability"].values())
        assert card["upsell_probability_long"]["365d"] >= card["upsell_probability"]["90d"]
        low, high = card["churn_interval_90"]["90d"]
        year = 12 * card["profile"]["mrr"]
        assert card["revenue_at_risk"]["interval_90"] == pytest.approx([year * low, year * high], abs=0.01)
        extra = card["extra_mrr_if_expands"]["amount"]
        expected = 12 * extra * card["upsell_probability"]["90d"]
        assert card["expected_incremental_revenue"]["amount"] == pytest.approx(expected, abs=0.2)
        assert 0 < card["time_to_close"]["expected_days"] < card["time_to_close"]["within_days"] == 365


async def test_decisions_rest_on_learnt_effects(
    further_app: KeepgrowApp, further_client: httpx.AsyncClient
) -> None:
    """Values say whether their lifts were learnt, and what falls on its value falls by a code of its own."""
    further_app.state.catalogue = whatever_happens(further_app.state.catalogue)
    bases, rules = set(), set()
    for account_id in account_ids(30):
        decision = (await further_client.post("/v1/next-best-action", json={"account_id": account_id})).json()
        jsonschema.validate(decision, schema_of("DecisionAnswer"))
        assert set(decision) == set(DecisionAnswer.model_fields)
        standing = [decision["expected_value"], *(one["expected_value"] for one in decision["alternatives"])]
        for value in filter(None, standing):
            bases.add(value["basis"])
            gross = value["interval_90"][0] + value["cost"] + value["expected_discount"]
            assert gross > -0.01
        rules |= {one["rule"] for one in decision["refused"] if one["stage"] == "uplift_and_value"}
        if decision["action"] is not None:
            assert decision["basis"] == decision["expected_value"]["basis"]
    assert bases == {"uplift", "prior"}
    assert "lift_not_above_zero" in rules
    assert rules <= {
        "sleeping_dog", "sure_thing", "lost_cause", "lift_not_above_zero", "not_worth_its_cost", "value_unknown",
    }  # fmt: skip


async def test_the_card_and_the_question_decide_alike(further_client: httpx.AsyncClient) -> None:
    """The card's decision is the one that the next best action would be, effects and all."""
    for account_id in account_ids(8)[5:]:
        card = (await further_client.get(f"/v1/accounts/{account_id}")).json()["next_best_action"]
        asked = (await further_client.post("/v1/next-best-action", json={"account_id": account_id})).json()
        assert [card[key] for key in ("action", "basis", "refused")] == [
            asked[key] for key in ("action", "basis", "refused")
        ]
