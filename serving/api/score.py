"""`POST /v1/score`: probabilities, score, tier and signals of one account or of up to 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.answers import ScoredAccounts, score_account, score_accounts
from serving.api.messages import Request, Response, json_response
from serving.api.problems import unknown_account
from serving.api.requests import ScoreOneRequest, parse_score
from serving.scoring.result import AccountScore

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.state import ServingState


async def post(state: ServingState, request: Request) -> Response:
    """Answer a request for one score, or for several."""
    settings = state.settings
    body = await request.json(settings.max_body_bytes, settings.body_timeout_seconds)
    wanted = parse_score(body, settings.max_accounts)
    if isinstance(wanted, ScoreOneRequest):
        scored = await score_account(state, wanted.account_id)
        return json_response(scored.score.to_json_value())
    return json_response(several(await score_accounts(state, wanted.account_ids), AccountScore.to_json_value))


def several(
    scored: ScoredAccounts, shown: Callable[[AccountScore], dict[str, Any]] = AccountScore.to_dict
) -> dict[str, Any]:
    """Return scores, each as *shown* makes it, and a problem for each account of which nothing is known."""
    return {
        "scores": [shown(score) for score in scored.known],
        "errors": [unknown_account(unknown.account_id).document() for unknown in scored.unknown],
    }
