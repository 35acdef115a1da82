"""A request and a response as plain values, and reading a body within its limits."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from serving.api.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    MALFORMED_BODY,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemError,
    overloaded,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json"
PROBLEM = b"application/problem+json"
DRAIN_BYTES = 32 << 20
DRAIN_SECONDS = 0.4
CLOSE = (b"connection", b"close")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete; nobody waits for an answer."""


@dataclass(slots=True)
class Arrivals:
    """Bodies that are still arriving: slow senders may pile up so much together, and no more.

    Attributes:
        most_bytes: How much that is.
        bytes: How much it is now.
    """

    most_bytes: int
    bytes: int = 0


@dataclass(slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: Method in capitals.
        path: Path as sent, percent-encoded.
        headers: Headers by lower-case name; of a repeated header the last.
        query: What follows the path's question mark, as sent.
        parameters: Parts of the path that the route names, decoded.
        request_id: The client's `X-Request-Id` if it is well formed, else one of our own.
        traceparent: The client's W3C `traceparent` if it is well formed.
        body: The body, once `load` has read it.
    """

    method: str
    path: bytes
    headers: Mapping[bytes, bytes]
    receive: Receive
    query: bytes = b""
    parameters: Mapping[str, str] = field(default_factory=dict)
    request_id: bytes = b""
    traceparent: bytes | None = None
    body: bytes | None = None

    @classmethod
    def from_scope(cls, scope: Scope, receive: Receive) -> Request:
        """Return the request that an ASGI *scope* describes."""
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"")
        traceparent = headers.get(b"traceparent")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(8).encode()
        if traceparent is not None and not _TRACEPARENT.fullmatch(traceparent):
            traceparent = None
        return cls(
            method=scope["method"],
            path=scope.get("raw_path") or scope["path"].encode(),
            headers=headers,
            receive=receive,
            query=scope.get("query_string", b""),
            request_id=request_id,
            traceparent=traceparent,
        )

    async def load(self, limit: int, seconds: float, arrivals: Arrivals) -> None:
        """Read the body, before the request takes a place among those that are worked on.

        Args:
            limit: Most bytes that are read.
            seconds: Longest time that the client may take.
            arrivals: What all bodies that are under way share.

        Raises:
            ProblemError: The body is too large, too slow, or too much is under way.
        """
        self.body = await self._body(limit, seconds, arrivals)

    async def json(self, limit: int, seconds: float) -> Any:  # noqa: ANN401 -- any JSON value
        """Return the body's JSON value.

        Args:
            limit: Most bytes that are read.
            seconds: Longest time that the client may take.

        Raises:
            ProblemError: The body is no JSON, too large, too slow, or not declared as JSON.
        """
        declared = self.headers.get(b"content-type", b"")
        if declared.partition(b";")[0].strip().lower() != JSON:
            raise ProblemError(UNSUPPORTED_MEDIA_TYPE, "Send the body with `Content-Type: application/json`.")
        body = self.body if self.body is not None else await self._body(limit, seconds, Arrivals(limit))
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ProblemError(MALFORMED_BODY, f"The body is not JSON: {error}.") from error

    async def _body(self, limit: int, seconds: float, arrivals: Arrivals) -> bytes:
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            await self._drain()
            raise _too_large(limit)
        parts: list[bytes] = []
        size = held = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limit:
                        break
                    parts.append(part)
                    if not message.get("more_body", False):
                        return parts[0] if len(parts) == 1 else b"".join(parts)
                    held += len(part)
                    arrivals.bytes += len(part)
                    if arrivals.bytes > arrivals.most_bytes:
                        raise overloaded(1, CLOSE)
        except TimeoutError as error:
            raise ProblemError(
                BODY_TOO_SLOW, f"The body did not arrive within {seconds:g} s.", headers=(CLOSE,)
            ) from error
        finally:
            arrivals.bytes -= held
        parts.clear()
        await self._drain()
        raise _too_large(limit)

    async def _drain(self) -> None:
        """Throw away what still comes, so that an ordinary client reads our answer."""
        thrown = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while thrown < DRAIN_BYTES:
                    message = await self.receive()
                    thrown += len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
        except TimeoutError:
            return


def _too_large(limit: int) -> ProblemError:
    return ProblemError(BODY_TOO_LARGE, f"The body is larger than {limit} bytes.", headers=(CLOSE,))


@dataclass(slots=True)
class Response:
    """One HTTP response, complete in memory.

    Attributes:
        body: The bytes to send.
        status: HTTP status.
        content_type: Value of `Content-Type`.
        headers: Further headers.
        outcome: What metrics count it as.
    """

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    outcome: str = "ok"


def json_response(value: Any, status: int = 200) -> Response:  # noqa: ANN401 -- any JSON value
    """Return a response that holds *value* as JSON; NaN and infinity become null."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), status=status)
