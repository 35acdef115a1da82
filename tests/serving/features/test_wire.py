"""The shared connection writes what is asked in one turn at once, and hands out replies however they arrive."""

from __future__ import annotations

import asyncio
import socket

import pytest
import redis

from serving.features.wire import (
    BULK_KEYS,
    FED_BYTES,
    Connection,
    Fields,
    ServerAddress,
    SharedConnections,
    pack,
)

ASK = pack(b"GET", b"a")
SECONDS = 5.0


@pytest.fixture
async def pair():
    """Return a connection and the server's end of it, a socket that does not wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection("the test"), *listener.getsockname()
        )
        server, _ = listener.accept()
    server.setblocking(False)
    with server:
        yield connection, server
        connection.close()


def received(server: socket.socket) -> bytes:
    """Return what has arrived at the server's end by now."""
    try:
        return server.recv(1 << 20)
    except BlockingIOError:
        return b""


async def test_what_is_asked_in_one_turn_goes_out_together(pair) -> None:
    """Commands of one turn of the event loop are held until its end, then written in order."""
    connection, server = pair
    asked = [connection.send(ASK, 1), connection.send(ASK + ASK, 2)]
    assert received(server) == b""
    await asyncio.sleep(0.05)
    assert received(server) == 3 * ASK
    server.sendall(b"+1\r\n+2\r\n+3\r\n")
    assert await asyncio.wait_for(asyncio.gather(*asked), SECONDS) == [[b"1"], [b"2", b"3"]]


async def test_what_many_are_asked_goes_out_at_once_and_in_order(pair) -> None:
    """A read of many accounts does not wait for the turn's end, and passes nothing that was asked before it."""
    connection, server = pair
    connection.send(b"first", 1)
    connection.send(b"many", BULK_KEYS + 1)
    assert received(server) == b"firstmany"
    await asyncio.sleep(0.05)
    assert received(server) == b""


async def test_what_was_not_sent_when_the_connection_broke_fails(pair) -> None:
    """Who asked in the turn in which the connection is lost is told so, and does not wait."""
    connection, _ = pair
    asked = connection.send(ASK, 1)
    connection.close()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(asked, SECONDS)


@pytest.mark.parametrize("cut", [1, 7, FED_BYTES - 1, FED_BYTES, FED_BYTES + 1, 10 * FED_BYTES])
async def test_replies_are_the_same_wherever_they_are_cut(pair, cut: int) -> None:
    """Short replies and ones larger than what the parser is given at a time come out whole, however they arrive."""
    connection, _ = pair
    values = [b"x" * size for size in (0, 3, FED_BYTES - 9, 2 * FED_BYTES, 5, 70_000 if cut > 7 else 700)]
    data = b"".join(b"$%d\r\n%b\r\n" % (len(value), value) for value in values)
    asked = [connection.send(ASK, 1) for _ in values[:-2]] + [connection.send(ASK + ASK, 2)]
    for start in range(0, len(data), cut):
        connection.data_received(data[start : start + cut])
    replies = await asyncio.wait_for(asyncio.gather(*asked), SECONDS)
    assert [reply for some in replies for reply in some] == values
    assert connection.replies_received == len(values)


async def test_many_large_hashes_are_read_as_they_are(valkey_url: str) -> None:
    """A hundred hashes of many lengths come back in the order in which they were asked for."""
    names = [b"one", b"two", b"none"]
    with redis.Redis.from_url(valkey_url) as client:
        written = {b"wire-%d" % n: [b"%d" % n * (n * 37), b"y" * (n % 7)] for n in range(100)}
        for key, (one, two) in written.items():
            client.hset(key, mapping={"one": one, "two": two})
    link = SharedConnections(ServerAddress.parse(valkey_url))
    replies = await link.read(list(written), Fields(names), SECONDS)
    await link.close()
    assert replies == [[one, two, None] for one, two in written.values()]
