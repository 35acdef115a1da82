"""One Redis server through few connections that many requests share, instead of a pool that lends them out.

Requests are written as they come and replies are handed out in order, so a read costs one write, one read and
no waiting for a free connection. It measures half of what a pooled client costs. Sentinel and Cluster are read
through the same connections (`sentinel.py`, `cluster.py`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from serving.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

BULK_KEYS: Final = 16
FED_BYTES: Final = 16_384
"""The parser is given so much at a time: after each reply it moves all that it still holds to its buffer's start."""
DEFAULT_PORT: Final = 6379
ASKING: Final = b"*1\r\n$6\r\nASKING\r\n"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a Redis server listens and how to log in.

    Attributes:
        host: Its host; empty if it listens on a Unix socket.
        port: Its port.
        socket_path: Its Unix socket, or empty.
        user: User name, or empty.
        password: Password, or empty.
        database: Number of the database.
        tls: Whether to encrypt.
    """

    host: str
    port: int
    socket_path: str
    user: str
    password: str
    database: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> ServerAddress:
        """Return the address that a `redis://`, `rediss://` or `unix://` URL names.

        Raises:
            ValueError: The URL is malformed.
        """
        parts = urlsplit(url)
        unix = parts.scheme == "unix"
        path = parts.path.strip("/")
        database = parse_qs(parts.query).get("db", ["0" if unix or not path else path])[0]
        if not database.isdigit():
            raise ValueError(f"the database should be a number, not {database!r}")
        return cls(
            host="" if unix else parts.hostname or "127.0.0.1",
            port=parts.port or DEFAULT_PORT,
            socket_path=parts.path if unix else "",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=int(database),
            tls=parts.scheme == "rediss",
        )

    def __str__(self) -> str:
        return self.socket_path or f"{self.host}:{self.port}"


def pack(*words: bytes) -> bytes:
    """Return a command as Redis wants it on the wire."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


class Fields:
    """Some fields of a hash, and how to ask for them."""

    __slots__ = ("_body", "_head", "names")

    def __init__(self, names: Sequence[bytes]) -> None:
        """Prepare to ask for *names*."""
        self.names = tuple(names)
        self._head = b"*%d\r\n$5\r\nHMGET\r\n$" % (len(names) + 2)
        self._body = b"\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(name), name) for name in names)

    def commands(self, keys: Sequence[bytes], prefix: bytes = b"") -> bytes:
        """Return the commands that ask for the fields of each hash, each after *prefix*."""
        head, body = prefix + self._head, self._body
        return b"".join([b"%b%d\r\n%b%b" % (head, len(key), key, body) for key in keys])


PING_FIELDS: Final = Fields((b"_ts:",))


class Connection(asyncio.Protocol):
    """One connection: commands out, replies back in the same order."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._parser = hiredis.Reader()
        self._waiting: deque[tuple[asyncio.Future[list[object]], int, list[object], float]] = deque()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self.replies_received = 0

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def oldest_seconds(self) -> float:
        """Return for how long the command that has waited longest has waited; 0 if none waits."""
        return asyncio.get_running_loop().time() - self._waiting[0][3] if self._waiting else 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write to."""
        self._transport = transport  # type: ignore[assignment] # a stream protocol gets a stream transport

    def data_received(self, data: bytes) -> None:
        """Hand each complete reply to whoever has waited longest."""
        try:
            for start in range(0, len(data), FED_BYTES):
                self._parser.feed(data, start, min(FED_BYTES, len(data) - start))
                self._hand_out()
        except (hiredis.ProtocolError, IndexError):
            self.close()

    def _hand_out(self) -> None:
        gets = self._parser.gets
        while (reply := gets()) is not False:
            future, count, replies, _ = self._waiting[0]
            before = len(replies)
            replies.append(reply)
            while len(replies) < count and (reply := gets()) is not False:
                replies.append(reply)
            self.replies_received += len(replies) - before
            if len(replies) == count:
                self._waiting.popleft()
                if not future.done():
                    future.set_result(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who still waits."""
        self._transport = None
        while self._waiting:
            future, *_ = self._waiting.popleft()
            if not future.done():
                future.set_exception(
                    ConnectionResetError(f"{self._server} closed the connection: {exc or 'end'}")
                )

    def send(self, commands: bytes, count: int) -> asyncio.Future[list[object]]:
        """Write *count* packed commands; the future becomes their replies, errors among them as values.

        Few commands go out at the end of this turn of the event loop, with those of others that are asked in it: a
        write costs more than what it carries, and the server then answers them together.

        Raises:
            ConnectionResetError: The connection is closed.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError(f"the connection to {self._server} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[object]] = loop.create_future()
        self._waiting.append((future, count, [], loop.time()))
        if not self._unsent and count <= BULK_KEYS:
            loop.call_soon(self._write)
        self._unsent.append(commands)
        if count > BULK_KEYS:
            self._write()
        return future

    def _write(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and self._transport is not None:
            self._transport.write(b"".join(unsent))

    def close(self) -> None:
        """Close at once; whoever waits gets an error."""
        if self._transport is not None:
            self._transport.abort()


class SharedConnections:
    """A store link to one server: short reads share one connection and long ones another."""

    def __init__(self, address: ServerAddress, name: str = "") -> None:
        """Describe the link; it connects when it is first used.

        Args:
            address: The server.
            name: What errors call the server, if not by its address.
        """
        self._address = address
        self._name = name or str(address)
        self._dialled = address
        self._open: dict[bool, Connection] = {}
        self._locks = {False: asyncio.Lock(), True: asyncio.Lock()}

    @property
    def spread(self) -> bool:
        """One server has every key."""
        return False

    def node_of(self, _key: bytes) -> None:
        """Return nothing that would tell keys apart."""
        return

    async def read(self, keys: Sequence[bytes], fields: Fields, deadline_seconds: float) -> list[object]:
        """Return the values of *fields* of each hash: a list, or a `hiredis.ReplyError`.

        Raises:
            StoreUnavailable: The server did not answer in time.
        """
        return await self._ask(fields.commands(keys), len(keys), deadline_seconds)

    async def read_asking(
        self, keys: Sequence[bytes], fields: Fields, deadline_seconds: float
    ) -> list[object]:
        """Return what `read` does, from a node of a Cluster that is still importing the keys.

        Raises:
            StoreUnavailable: The server did not answer in time.
        """
        return (await self._ask(fields.commands(keys, ASKING), 2 * len(keys), deadline_seconds))[1::2]

    async def ping(self, key: bytes, deadline_seconds: float) -> None:
        """Return if *key* can be read: a server that answers PING need not be one that can be read.

        Raises:
            StoreUnavailable: The server did not answer in time, or it refuses.
        """
        reply = (await self.read((key,), PING_FIELDS, deadline_seconds))[0]
        if not isinstance(reply, list):
            raise StoreUnavailable.refused(self._name, reply)

    async def call(
        self,
        words: Sequence[bytes],
        deadline_seconds: float,
        key: bytes | None = None,  # noqa: ARG002 -- one server has all keys
    ) -> object:
        """Return the reply to any one command.

        Raises:
            StoreUnavailable: The server did not answer in time.
        """
        return (await self._ask(pack(*words), 1, deadline_seconds))[0]

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    async def _ask(self, commands: bytes, count: int, deadline_seconds: float) -> list[object]:
        bulk = count > BULK_KEYS
        connection: Connection | None = None
        seen = 0
        try:
            async with asyncio.timeout(deadline_seconds):
                for last_try in (False, True):
                    connection = self._open.get(bulk)
                    if connection is None or not connection.is_open:
                        connection = await self._connect(bulk)
                    seen = connection.replies_received
                    try:
                        return await connection.send(commands, count)
                    except ConnectionResetError:
                        if last_try:
                            raise
        except TimeoutError:
            # Not one reply to anybody in all that time: the server hangs. Or whoever has waited longest gave up
            # as well: the server works for those who are gone, and would for ever. Begin anew in both cases.
            if connection is not None and (
                connection.replies_received == seen or connection.oldest_seconds() >= deadline_seconds
            ):
                connection.close()
            raise StoreUnavailable(
                f"the online store at {self._name} did not answer within {deadline_seconds * 1000:.0f} ms",
                "timeout",
            ) from None
        except OSError as error:
            raise StoreUnavailable(f"the online store at {self._name} can't be reached: {error}") from error
        raise AssertionError("the last try returns or raises")

    async def _connect(self, bulk: bool) -> Connection:
        async with self._locks[bulk]:
            current = self._open.get(bulk)
            if current is not None and current.is_open:
                return current
            connection = await self._dial()
            try:
                await self._log_in(connection)
            except BaseException:
                connection.close()
                raise
            self._open[bulk] = connection
            return connection

    async def _locate(self) -> ServerAddress:
        """Return where to connect to; asked anew for each connection."""
        return self._address

    async def _dial(self) -> Connection:
        address, loop = await self._locate(), asyncio.get_running_loop()
        if address != self._dialled:
            await self.close()
            self._dialled = address

        def made() -> Connection:
            return Connection(str(address))

        if address.socket_path:
            return (await loop.create_unix_connection(made, address.socket_path))[1]
        context = ssl.create_default_context() if address.tls else None
        return (await loop.create_connection(made, address.host, address.port, ssl=context))[1]

    async def _log_in(self, connection: Connection) -> None:
        address = self._address
        commands = []
        if address.password:
            user = [address.user.encode()] if address.user else []
            commands.append(pack(b"AUTH", *user, address.password.encode()))
        if address.database:
            commands.append(pack(b"SELECT", str(address.database).encode()))
        if not commands:
            return
        for reply in await connection.send(b"".join(commands), len(commands)):
            if isinstance(reply, hiredis.ReplyError):
                raise StoreUnavailable.refused(self._name, reply)
