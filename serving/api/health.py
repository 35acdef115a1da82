"""`GET /livez` and `GET /readyz`: is the process alive; should it get requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.api.messages import Request, Response, json_response
from serving.api.problems import NOT_READY, ProblemError

if TYPE_CHECKING:
    from serving.state import ServingState


async def livez(_state: ServingState, _request: Request) -> Response:
    """Answer that the process runs; it says nothing of the store."""
    return json_response({"status": "alive"})


async def readyz(state: ServingState, _request: Request) -> Response:
    """Answer whether the bundle is loaded and warmed up and the store answers."""
    reason = await state.unready_because()
    if reason is not None:
        seconds = str(state.settings.retry_after_seconds).encode()
        raise ProblemError(NOT_READY, reason, headers=((b"retry-after", seconds),))
    return json_response({"status": "ready", "model": state.bundle.tag})
