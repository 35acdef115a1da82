"""Clients that do not play by the rules, over raw sockets, against the service as it ships."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from serving import guarded_http
from tests.hostile.conftest import MARK, PLACES, Service, until_closed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

HEAD = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ONE = {"account_id": "acme-0001"}
SECONDS = 12.0
LIMIT_SECONDS = 1.0


def drip(start: bytes, piece: bytes, seconds: float = 0.1) -> AsyncIterator[bytes]:
    """Return *start* and then *piece* for ever, one each so many *seconds*."""

    async def dripping() -> AsyncIterator[bytes]:
        yield start
        while True:
            await asyncio.sleep(seconds)
            yield piece

    return dripping()


async def send_all(writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes]) -> None:
    """Send pieces until the other side has had enough."""
    with contextlib.suppress(ConnectionError):
        async for piece in pieces:
            writer.write(piece)
            await writer.drain()


async def cut_off(service: Service, pieces: AsyncIterator[bytes]) -> tuple[int, float]:
    """Send *pieces* and return the status of the answer, 0 for none, and the seconds until the end."""
    begun = time.monotonic()
    reader, writer = await service.connect()
    sending = asyncio.create_task(send_all(writer, pieces))
    try:
        answer = await until_closed(reader, SECONDS)
    finally:
        sending.cancel()
        writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0, time.monotonic() - begun


async def ask(service: Service, times: int = 1) -> float:
    """Ask for a score several times in a row and return the slowest answer's seconds."""
    slowest = 0.0
    async with httpx.AsyncClient(base_url=service.url, timeout=10) as client:
        for _ in range(times):
            answer = await client.post("/v1/score", json=ONE)
            assert answer.status_code == 200, answer.text
            slowest = max(slowest, answer.elapsed.total_seconds())
    return slowest


SLOW = {
    "chunks for ever": (CHUNKED, b"1\r\n \r\n", {408}),
    "a body that takes its time": (HEAD + b"Content-Length: 500\r\n\r\n{", b" ", {408}),
    "a body that never begins": (HEAD + b"Content-Length: 500\r\n\r\n", b"", {408}),
    "a body that nobody asked for": (
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", b" ", {404},
    ),
    "a body of a GET": (b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", {200}),
    "chunks too many": (CHUNKED, b"40000\r\n" + b" " * 0x40000 + b"\r\n", {413}),
    "headers for ever": (HEAD, b"x-a: b\r\n", {0, 408, 431}),
    "a header that takes its time": (HEAD + b"x-", b"a", {0, 408}),
    "a request line that takes its time": (b"GET /", b"a", {0, 408}),
    "nothing at all": (b"", b"", {0, 408}),
    "half a request after a whole one": (
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHo", b"s", {200},
    ),
}  # fmt: skip


async def test_every_slow_client_is_cut_off_and_none_slows_another(service: Service) -> None:
    """Many clients of each slow kind at once are answered or dropped in time, and others don't notice."""
    slow = [
        (name, asyncio.create_task(cut_off(service, drip(start, piece))))
        for name, (start, piece, _) in SLOW.items()
        for _ in range(PLACES)
    ]
    await asyncio.sleep(0.2)
    asked = [await ask(service, 20) for _ in range(10)]
    for name, task in slow:
        status, seconds = await task
        assert status in SLOW[name][2], name
        assert seconds < SECONDS, name
    assert max(asked) < LIMIT_SECONDS


LARGE = {
    "a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * (8 << 20),
    "many headers": b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(400_000)),
    "a path": b"GET /" + b"a" * (8 << 20),
    "a method": b"G" * (8 << 20),
    "chunk extensions": CHUNKED + b"1;" + b"a" * (8 << 20),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
async def test_what_is_too_large_is_refused_before_it_is_all_read(service: Service, name: str) -> None:
    """A head without end is answered with 4xx or cut off after a part of it."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(LARGE[name]), 1 << 16):
            yield LARGE[name][at : at + (1 << 16)]

    status, seconds = await cut_off(service, pieces())
    assert status in {0, 400, 408, 413, 431}
    assert seconds < SECONDS
    await ask(service)


WRONG = {
    "UTF-16": json.dumps({"account_id": MARK}).encode("utf-16"),
    "UTF-16 without a mark": json.dumps({"account_id": MARK}).encode("utf-16-le"),
    "UTF-32": json.dumps({"account_id": MARK}).encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps({"account_id": MARK}).encode(),
    "Latin-1": f'{{"account_id": "{MARK}-\xe9"}}'.encode("latin-1"),
    "overlong UTF-8": b'{"account_id": "' + MARK.encode() + b'\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"account_id": "' + MARK.encode() + b'\xed\xa0\x80"}',
    "an escaped half of a pair": b'{"account_id": "' + MARK.encode() + b'\\ud800"}',
    "gzip": b"\x1f\x8b\x08" + MARK.encode(),
    "deep lists": b"[" * 500_000,
    "deep objects": b'{"a":' * 150_000,
    "a deep id": b'{"account_id": ' + b"[" * 400_000 + b"]" * 400_000 + b"}",
    "a number of a million digits": b'{"account_id": ' + b"9" * 1_000_000 + b"}",
    "a huge exponent": b'{"account_id": 1e999999999}',
    "many ids": json.dumps({"account_ids": [f"{MARK}{n}" for n in range(40_000)]}).encode(),
    "many keys": json.dumps({f"{MARK}{n}": n for n in range(40_000)}).encode(),
    "the same key often": b'{"account_id": "' + MARK.encode() + b'"' + b',"account_id": 1' * 40_000 + b"}",
    "a null byte": b'{"account_id": "' + MARK.encode() + b'\x00"}',
    "two values": b'{"account_id": "a"}{"account_id": "' + MARK.encode() + b'"}',
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_body_is_a_problem_at_once(service: Service, name: str) -> None:
    """What is no JSON in UTF-8, or nested or long beyond measure, is refused in time with a short answer."""
    answer = httpx.post(
        f"{service.url}/v1/score",
        content=WRONG[name],
        headers={"content-type": "application/json"},
        timeout=10,
    )
    assert answer.status_code in {413, 422}, answer.text[:200]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 10_000
    assert answer.elapsed.total_seconds() < LIMIT_SECONDS


GARBAGE: dict[str, bytes] = {
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 40,
    "nulls": b"\x00" * 4096,
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "a length that is no number": HEAD + b"Content-Length: many\r\n\r\n{}",
    "a length beyond counting": HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}",
    "length and chunks": HEAD
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"zz\r\n{}\r\n",
    "a chunk size beyond counting": CHUNKED + b"f" * 40 + b"\r\n{}\r\n",
    "a bare line feed in a header": b"GET /livez HTTP/1.1\r\nHost: x\r\nx: a\nb\r\n\r\n",
    "a folded header": b"GET /livez HTTP/1.1\r\nHost: x\r\nx: a\r\n b\r\nConnection: close\r\n\r\n",
    "a path that is not ASCII": b"GET /v1/accounts/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a percent sign without digits": b"GET /v1/accounts/%zz%f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "dots": b"GET /models/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "an absolute path": b"GET http://elsewhere/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "CONNECT": b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a WebSocket": b"GET /v1/score HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "an unknown expectation": HEAD + b"Expect: miracles\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    "a request id with a line break": b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0aset-cookie: b\r\n"
    b"Connection: close\r\n\r\n",
    "HTTP/0.9": b"GET /livez\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_ends_its_own_connection_only(service: Service, name: str) -> None:
    """Bytes that are no proper HTTP get at most a 4xx, never a 5xx or a second answer, and hurt nobody else."""

    async def pieces() -> AsyncIterator[bytes]:
        yield GARBAGE[name]

    reader, writer = await service.connect()
    writer.write(GARBAGE[name])
    with contextlib.suppress(ConnectionError):
        writer.write_eof()
    answer = await until_closed(reader, SECONDS)
    writer.close()
    assert b" 50" not in answer.split(b"\r\n", 1)[0]
    assert b"set-cookie" not in answer.lower()
    await ask(service)


async def greedy(url: str, request: bytes) -> float:
    """Send *request* on and on and read nothing; return the seconds until the connection was no more."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop, begun = asyncio.get_running_loop(), time.monotonic()
    with contextlib.suppress(ConnectionError), socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, (host, int(port)))
        while True:
            await loop.sock_sendall(sock, request)
    return time.monotonic() - begun


async def test_clients_that_read_nothing_slow_nobody(service: Service) -> None:
    """While some send request after request and leave the answers, others are answered as ever."""
    body = json.dumps({"account_ids": [f"acme-{number:04d}" for number in range(30)]}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    greedily = [asyncio.create_task(greedy(service.url, request)) for _ in range(4)]
    await asyncio.sleep(1)
    asked = [await ask(service, 10) for _ in range(5)]
    assert not any(task.done() for task in greedily)
    for task in greedily:
        task.cancel()
    assert max(asked) < LIMIT_SECONDS


async def test_a_client_that_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the service's protocol, answers that are not fetched end the connection when their time is over."""
    monkeypatch.setitem(guarded_http.LIMITS, "write", 1.0)

    async def app(scope: dict, _receive: object, send: Callable) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (1 << 20)})

    config = uvicorn.Config(app, http=guarded_http.GuardedProtocol, lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listening]))
        url = f"127.0.0.1:{listening.getsockname()[1]}"
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.01)
        assert len((await httpx.AsyncClient().get(f"http://{url}/")).content) == 1 << 20
        async with asyncio.timeout(SECONDS):
            seconds = await greedy(url, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert seconds > 1
        server.should_exit = True
        await serving


async def test_clients_that_leave_early_leave_nothing_behind(service: Service) -> None:
    """After hundreds of clients that went away in the middle, all places are free."""

    async def leave(sent: bytes, reset: bool) -> None:
        _, writer = await service.connect()
        writer.write(sent)
        await writer.drain()
        if reset:
            writer.transport.abort()
        writer.close()

    starts: Iterable[bytes] = (
        b"",
        b"GE",
        HEAD,
        CHUNKED,
        HEAD + b"Content-Length: 90\r\n\r\n{",
        CHUNKED + b"5\r\n{",
    )
    for start in starts:
        await asyncio.gather(*(leave(start, reset) for reset in (True, False) for _ in range(2 * PLACES)))
    await ask(service)
    for _ in range(100):
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{service.url}/metrics")
        in_flight = next(
            line for line in answer.text.splitlines() if line.startswith("keepgrow_requests_in_flight")
        )
        if float(in_flight.rpartition(" ")[2]) == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(in_flight)


def test_nothing_of_all_that_is_in_the_log(service: Service) -> None:
    """The log has lines about refusals, but no body, no account id and no fault of ours."""
    for name, content in WRONG.items():
        httpx.post(
            f"{service.url}/v1/score", content=content, headers={"x-request-id": name.replace(" ", "-")}
        )
    httpx.post(f"{service.url}/v1/score", json={"account_id": MARK})
    httpx.post(f"{service.url}/v1/next-best-action", json={"account_id": MARK, MARK: MARK})
    httpx.get(f"{service.url}/v1/accounts/{MARK}?{MARK}")
    httpx.get(f"{service.url}/{MARK}")
    text = service.log.read_text()
    assert '"endpoint"' in text
    assert MARK not in text
    assert "Traceback" not in text
    assert "internal-error" not in text
    assert "failed" not in text
