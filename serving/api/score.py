"""`POST /v1/score`: probabilities, score, tier and signals of one account or of up to 500."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving.answers import (
    PART_ACCOUNTS,
    ScoredAccounts,
    explain_accounts,
    score_account,
    score_accounts,
)
from serving.api.messages import Request, Response, json_response
from serving.api.problems import overloaded, unknown_account
from serving.api.requests import ScoreManyRequest, ScoreOneRequest, parse_explain, parse_score
from serving.scoring.exact import MOST_ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from serving.scoring.result import AccountScore
    from serving.state import ServingState

MOST_BULK: Final = 16
"""Requests for several accounts, or for exact reasons, that a worker takes in at once: two are worked on, the
others wait, and beyond these places for single accounts would run short."""


async def post(state: ServingState, request: Request) -> Response:
    """Answer a request for one score, or for several."""
    settings = state.settings
    exactly = parse_explain(request.query)
    body = await request.json(settings.max_body_bytes, settings.body_timeout_seconds)
    most = min(MOST_ACCOUNTS, settings.max_accounts) if exactly else settings.max_accounts
    wanted = parse_score(body, most)
    if exactly:
        return await _explained(state, wanted)
    if isinstance(wanted, ScoreOneRequest):
        scored = await score_account(state, wanted.account_id)
        return json_response(scored.score.to_json_value())
    async with _bulk_place(state):
        scored_accounts = await score_accounts(state, wanted.account_ids)
        scores = await _serialised(scored_accounts.known)
    return json_response({"scores": scores, "errors": problems(scored_accounts)})


@contextlib.asynccontextmanager
async def _bulk_place(state: ServingState) -> AsyncIterator[None]:
    """Bound how many of these requests are taken in, and for how long.

    Raises:
        ProblemError: Too many are, or this one's time is over.
    """
    seconds = state.settings.retry_after_seconds
    if state.bulk_in_flight >= MOST_BULK:
        raise overloaded(seconds)
    state.bulk_in_flight += 1
    try:
        async with asyncio.timeout(state.settings.request_timeout_seconds):
            yield
    except TimeoutError:
        raise overloaded(seconds) from None
    finally:
        state.bulk_in_flight -= 1


async def _explained(state: ServingState, wanted: ScoreOneRequest | ScoreManyRequest) -> Response:
    one = isinstance(wanted, ScoreOneRequest)
    account_ids = [wanted.account_id] if isinstance(wanted, ScoreOneRequest) else wanted.account_ids
    async with _bulk_place(state):
        explained = await explain_accounts(state, account_ids)
    if one and explained.unknown:
        raise explained.unknown[0]
    scores = [score.to_json_value() for score in explained.known]
    return json_response(scores[0] if one else {"scores": scores, "errors": problems(explained)})


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
