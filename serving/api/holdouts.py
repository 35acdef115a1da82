"""`GET /v1/holdouts/{account_id}`: an account's holdouts and control arm, so that other systems can keep to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.api.messages import Request, Response, json_response
from serving.api.requests import check_account_id
from serving.decisions.holdouts import GLOBAL

if TYPE_CHECKING:
    from serving.state import ServingState


async def get(state: ServingState, request: Request) -> Response:
    """Answer with the holdouts of the account that the path names; any id has an answer, known or not."""
    account_id = check_account_id(request.parameters["account_id"])
    held = state.policy.holdouts.of(account_id)
    return json_response(
        {
            "account_id": account_id,
            "held_out": GLOBAL in held,
            "programmes": sorted(held - {GLOBAL}),
            "arm": state.policy.arms.of(state.policy.holdouts.salt, account_id),
            "policy": state.policy.hash,
        }
    )
