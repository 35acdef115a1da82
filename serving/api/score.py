"""`POST /v1/score`: probabilities, score, tier and signals of one account or of up to 500."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from serving.answers import PART_ACCOUNTS, ScoredAccounts, score_account, score_accounts
from serving.api.messages import Request, Response, json_response
from serving.api.problems import unknown_account
from serving.api.requests import ScoreOneRequest, parse_score

if TYPE_CHECKING:
    from serving.scoring.result import AccountScore
    from serving.state import ServingState


async def post(state: ServingState, request: Request) -> Response:
    """Answer a request for one score, or for several."""
    settings = state.settings
    body = await request.json(settings.max_body_bytes, settings.body_timeout_seconds)
    wanted = parse_score(body, settings.max_accounts)
    if isinstance(wanted, ScoreOneRequest):
        scored = await score_account(state, wanted.account_id)
        return json_response(scored.score.to_json_value())
    scored_accounts = await score_accounts(state, wanted.account_ids)
    scores = await _serialised(scored_accounts.known)
    return json_response({"scores": scores, "errors": problems(scored_accounts)})


async def _serialised(scores: list[AccountScore]) -> orjson.Fragment:
    """Return *scores* as a JSON array, made part by part so that other requests go on in between."""
    parts = []
    for start in range(0, len(scores), PART_ACCOUNTS):
        part = orjson.dumps([score.to_json_value() for score in scores[start : start + PART_ACCOUNTS]])
        parts.append(part[1:-1])
        await asyncio.sleep(0)
    return orjson.Fragment(b"[" + b",".join(parts) + b"]")


def problems(scored: ScoredAccounts) -> list[dict[str, Any]]:
    """Return a problem for each account of which nothing is known."""
    return [unknown_account(unknown.account_id).document() for unknown in scored.unknown]
