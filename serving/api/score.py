"""`POST /v1/score`: probabilities, score, tier and signals of one account or of up to 500."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving.answers import score_account, trend_shown
from serving.api.messages import Request, Response, json_response
from serving.api.problems import overloaded, unknown_account
from serving.api.requests import (
    ScoreManyRequest,
    ScoreOneRequest,
    parse_explain,
    parse_intervals,
    parse_score,
    parse_trend,
)
from serving.many_accounts import (
    ScoredAccounts,
    WrittenScores,
    explain_accounts,
    score_accounts,
    write_scores,
)
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
    exactly, intervals = parse_explain(request.query), parse_intervals(request.query)
    body = await request.json(settings.max_body_bytes, settings.body_timeout_seconds)
    most = min(MOST_ACCOUNTS, settings.max_accounts) if exactly else settings.max_accounts
    wanted = parse_score(body, most)
    trend = parse_trend(request.query, several=isinstance(wanted, ScoreManyRequest))
    if exactly:
        return await _explained(state, wanted, intervals=intervals, trend=trend)
    if isinstance(wanted, ScoreOneRequest):
        scored = await score_account(state, wanted.account_id)
        return json_response(await _one(state, scored.score, trend=trend))
    if intervals:
        async with _bulk_place(state):
            several = await score_accounts(state, wanted.account_ids, intervals=True)
        return json_response(_several(several))
    async with _bulk_place(state):
        written = await write_scores(state, wanted.account_ids)
    errors = orjson.dumps(problems(written))
    return Response(b"".join([b'{"scores":', *written.scores, b',"errors":', errors, b"}"]))


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


async def _explained(
    state: ServingState, wanted: ScoreOneRequest | ScoreManyRequest, *, intervals: bool, trend: bool
) -> Response:
    one = isinstance(wanted, ScoreOneRequest)
    account_ids = [wanted.account_id] if isinstance(wanted, ScoreOneRequest) else wanted.account_ids
    async with _bulk_place(state):
        explained = await explain_accounts(state, account_ids, intervals=one or intervals)
    if one and explained.unknown:
        raise explained.unknown[0]
    return json_response(await _one(state, explained.known[0], trend=trend) if one else _several(explained))


async def _one(state: ServingState, score: AccountScore, *, trend: bool) -> dict[str, Any]:
    shown = score.to_json_value()
    return {**shown, "trend": await trend_shown(state, score)} if trend else shown


def _several(scored: ScoredAccounts) -> dict[str, Any]:
    return {"scores": [score.to_json_value() for score in scored.known], "errors": problems(scored)}


def problems(scored: ScoredAccounts | WrittenScores) -> list[dict[str, Any]]:
    """Return a problem for each account of which nothing is known."""
    return [unknown_account(unknown.account_id).document() for unknown in scored.unknown]
