"""`POST /v1/next-best-action`: the one action worth taking now for an account, or the reason for none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.answers import next_best_action
from serving.api.messages import Request, Response
from serving.api.requests import parse_next_best_action

if TYPE_CHECKING:
    from serving.state import ServingState


async def post(state: ServingState, request: Request) -> Response:
    """Answer with a decision, which is on record by then."""
    settings = state.settings
    body = await request.json(settings.max_body_bytes, settings.body_timeout_seconds)
    wanted = parse_next_best_action(body)
    decision = await next_best_action(state, wanted.account_id, wanted.surface)
    return Response(decision.body)
