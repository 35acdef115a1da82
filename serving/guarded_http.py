"""uvicorn's HTTP protocol with the limits that it lacks: no client keeps a connection by being slow or endless.

uvicorn (0.54, `httptools`) reads a head of any size for any time, waits for ever for a client that reads nothing
of its answer, and goes on reading a body that nobody wants. Bodies that somebody wants are the app's to bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application

MAX_HEAD_BYTES: Final = 1 << 16
"""Largest request line and headers; the read of the socket in which they begin is not counted."""
HEAD_SECONDS: Final = 5.0
"""Longest time from a connection, or from a request's first byte, to the end of its head."""
REST_SECONDS: Final = 3.0
"""Longest time for which the rest of a request is read that has its answer already."""
WRITE_SECONDS: Final = 20.0
"""Longest time for which a client may let its answers pile up."""
LOOK_SECONDS: Final = 0.5
TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
LIMITS = {"head": HEAD_SECONDS, "rest": REST_SECONDS, "write": WRITE_SECONDS}


class GuardedProtocol(HttpToolsProtocol):
    """One connection, looked at twice a second."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- uvicorn's own arguments
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._in_message = False
        self._head_begins = False
        self._head_bytes = 0
        self._running: RequestResponseCycle | None = None
        self._stage = ""
        self._stage_began = 0.0
        self._look_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to look."""
        super().connection_made(transport)
        self._stage, self._stage_began = "head", self.loop.time()
        self._look_timer = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None
        super().connection_lost(exc)
        # uvicorn tells only the newest of several requests in a row, and runs into the closed connection.
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse *data*, and refuse a head that grows too large."""
        self._head_begins = False
        super().data_received(data)
        if self._in_head and not self._head_begins:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_head = self._in_message = self._head_begins = True
        self._head_bytes = 0
        self._stage = ""
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that it ends."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request has arrived."""
        self._in_message = False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _look(self) -> None:
        stage, now = self._current_stage(), self.loop.time()
        if stage != self._stage:
            self._stage, self._stage_began = stage, now
        elif stage and now - self._stage_began > LIMITS[stage]:
            self._look_timer = None
            self.transport.abort()
            return
        self._look_timer = self.loop.call_later(LOOK_SECONDS, self._look)

    def _current_stage(self) -> str:
        """Return what the client is being waited for; empty if it is not, or if others see to it."""
        if self.flow.write_paused or self.transport.is_closing():
            return "write"
        if self._in_head:
            return "head"
        answered = self.cycle is not None and self.cycle.response_complete
        return "rest" if answered and self._in_message else ""


def install() -> None:
    """Make this the protocol of every server that uvicorn starts in this process from now on."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{GuardedProtocol.__name__}"
