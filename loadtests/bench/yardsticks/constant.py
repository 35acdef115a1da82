"""Answers the same bytes to everything: how fast the load generator and uvicorn can be at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODY: Final = b'{"constant":true}'
HEAD: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())],
}
ANSWER: Final = {"type": "http.response.body", "body": BODY}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer one ASGI connection."""
    if scope["type"] != "http":
        return
    await receive()
    await send(HEAD)
    await send(ANSWER)
