"""A TCP proxy on loopback that misbehaves on demand, between the service and a real store.

It runs in a thread of its own, so that a test can switch faults while requests are under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import hiredis

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

HOST = "127.0.0.1"
CHUNK = 1 << 16
PATIENCE_SECONDS = 10.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """How the proxy misbehaves; by default not at all.

    Attributes:
        latency_seconds: Replies come later by so much.
        silent: Connections are accepted and nothing ever comes back; what was held back comes at the end.
        reset: Whoever sends something gets a reset connection, as does who is connected already.
        cut_after_bytes: A connection is closed after so many bytes of replies.
        refuse: Nobody listens, and who is connected is cut off.
        seconds_a_piece: Replies come in pieces, one after so many seconds.
        piece_bytes: Size of a piece.
        reply: Every command is answered with these bytes; the store never sees it.
    """

    latency_seconds: float = 0.0
    silent: bool = False
    reset: bool = False
    cut_after_bytes: int | None = None
    refuse: bool = False
    seconds_a_piece: float = 0.0
    piece_bytes: int = 1
    reply: bytes | None = None


NONE = Fault()


class Proxy:
    """The proxy; see `running_proxy`.

    Attributes:
        port: Where it listens on loopback.
        connections: How many were made to it so far.
    """

    def __init__(self, target_port: int) -> None:
        self.connections = 0
        self._target_port = target_port
        self._fault = NONE
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.port = 0
        self._run(self._listen())

    @contextlib.contextmanager
    def faulty(self, fault: Fault) -> Iterator[None]:
        """Misbehave like *fault* within this context."""
        self._run(self._switch(fault))
        try:
            yield
        finally:
            self._run(self._switch(NONE))

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()

    def _run(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    async def _listen(self) -> None:
        self._healed = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        await self._switch(Fault(refuse=True))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _switch(self, fault: Fault) -> None:
        self._fault = fault
        if fault.reset or fault.refuse:
            for writer in tuple(self._open):
                _cut(writer, reset=fault.reset)
        if fault.refuse and self._server is not None:
            self._server.close()
            self._server = None
        elif not fault.refuse and self._server is None:
            await self._listen()
        healed, self._healed = self._healed, asyncio.Event()
        healed.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            replies, upstream = await asyncio.open_connection(HOST, self._target_port)
            ways = [
                asyncio.ensure_future(self._commands(reader, writer, upstream)),
                asyncio.ensure_future(self._replies(replies, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            for one in (writer, upstream):
                if one is not None:
                    one.close()

    async def _commands(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, upstream: asyncio.StreamWriter
    ) -> None:
        parser = hiredis.Reader()
        while data := await reader.read(CHUNK):
            fault = self._fault
            if fault.reset:
                _cut(client, reset=True)
                return
            if fault.reply is not None:
                parser.feed(data)
                while parser.gets() is not False:
                    client.write(fault.reply)
            else:
                upstream.write(data)

    async def _replies(self, replies: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await replies.read(CHUNK):
            while self._fault.silent:
                await self._healed.wait()
            fault = self._fault
            await asyncio.sleep(fault.latency_seconds)
            if fault.cut_after_bytes is not None:
                data = data[: max(0, fault.cut_after_bytes - sent)]
            if fault.seconds_a_piece:
                data = await self._trickle(data, client, fault)
            client.write(data)
            sent += len(data)
            await client.drain()
            if fault.cut_after_bytes is not None and sent >= fault.cut_after_bytes:
                return

    async def _trickle(self, data: bytes, client: asyncio.StreamWriter, fault: Fault) -> bytes:
        """Send piece by piece while the fault lasts, and return those that are left."""
        at = 0
        while at < len(data) and self._fault is fault:
            client.write(data[at : at + fault.piece_bytes])
            at += fault.piece_bytes
            await asyncio.sleep(fault.seconds_a_piece)
        return data[at:]


def _cut(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        sock = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


@contextlib.contextmanager
def running_proxy(target_port: int) -> Iterator[Proxy]:
    """Yield a proxy in front of the server on *target_port* of loopback."""
    proxy = Proxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
