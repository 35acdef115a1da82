"""`GET /v1/accounts/{account_id}`: the data of the account card in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.answers import account_card
from serving.api.messages import Request, Response, json_response
from serving.api.requests import check_account_id, parse_trend

if TYPE_CHECKING:
    from serving.state import ServingState


async def get(state: ServingState, request: Request) -> Response:
    """Answer with score, key profile and next best action of the account that the path names."""
    account_id = check_account_id(request.parameters["account_id"])
    return json_response(await account_card(state, account_id, trend=parse_trend(request.query)))
