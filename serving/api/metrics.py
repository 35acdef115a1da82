"""`GET /metrics`: what the service counts about itself, in Prometheus' text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.api.messages import Request, Response
from serving.metrics import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from serving.state import ServingState


async def get(state: ServingState, _request: Request) -> Response:
    """Answer with all metrics of all workers, and with what waits in the outbox now."""
    await state.outbox.measure()
    return Response(await exposition(), content_type=CONTENT_TYPE.encode())
