"""Memory over many requests of every kind: 20,000 by default, or as many as `KEEPGROW_SOAK_REQUESTS` says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import orjson
import pytest

from tests.serving.test_service import SERVE, environment, free_port, served
from tests.serving.world import IDLE, account_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.serving.conftest import World

REQUESTS = int(os.environ.get("KEEPGROW_SOAK_REQUESTS") or 20_000)
CONNECTIONS = 8
WARM_UP = 4_000
GROWTH_MB = 12.0
IDS = [*account_ids()[:-1], IDLE]
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def post(path: str, body: object, number: int) -> bytes:
    """Return a request with a body, and an id that no other has."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-Id: soak-{number}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + content


def get(path: str) -> bytes:
    """Return a request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


KINDS: dict[str, tuple[int, Callable[[random.Random, int], bytes], int]] = {
    "score": (60, lambda r, n: post("/v1/score", {"account_id": r.choice(IDS)}, n), 200),
    "decision": (20, lambda r, n: post("/v1/next-best-action", {"account_id": r.choice(IDS)}, n), 200),
    "card": (5, lambda r, _: get(f"/v1/accounts/{quote(r.choice(IDS), safe='')}"), 200),
    "several": (2, lambda r, n: post("/v1/score", {"account_ids": r.sample(IDS, 30)}, n), 200),
    "unknown": (4, lambda _, n: post("/v1/score", {"account_id": f"nobody-{n}"}, n), 404),
    "malformed": (4, lambda _, n: post("/v1/score", {f"key-{n}": n}, n), 422),
    "nowhere": (4, lambda _, n: get(f"/v1/{n}"), 404),
    "metrics": (1, lambda _r, _n: get("/metrics"), 200),
}


async def soak(url: str, requests: int, seed: int) -> Counter[str]:
    """Send so many requests over keep-alive connections and return how many of each kind were answered right."""
    numbers, right = iter(range(requests)), Counter[str]()
    parts = urlsplit(url)

    async def one_connection(seed: int) -> None:
        chance = random.Random(seed)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        names, weights = list(KINDS), [weight for weight, _, _ in KINDS.values()]
        for number in numbers:
            (name,) = chance.choices(names, weights)
            writer.write(KINDS[name][1](chance, seed * 1_000_000_000 + number))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            right[name] += int(head.split(b" ", 2)[1]) == KINDS[name][2]
        writer.close()

    await asyncio.gather(*(one_connection(seed * CONNECTIONS + number) for number in range(CONNECTIONS)))
    return right


def resident_mb(root: int) -> dict[int, float]:
    """Return the resident memory of a process and of all that descend from it, by process."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = {}, [root]
    while left:
        process = left.pop()
        left += children.get(process, [])
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            found[process] = pages * PAGE_BYTES / 1e6
    return found


@pytest.fixture
def service(world: World) -> Iterator[str]:
    """Return the URL of the service as it ships, with one worker."""
    with served(SERVE, {**environment(world), "KEEPGROW_WORKERS": "1"}, free_port()) as url:
        yield url


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_memory_does_not_grow(service: str, record_property: Callable[[str, object], None]) -> None:
    """After a warm-up, no process of the service keeps more than a little of what passes through it."""
    asyncio.run(soak(service, WARM_UP, 1))
    before = resident_mb(os.getpid())
    begun = time.monotonic()
    right = asyncio.run(soak(service, REQUESTS, 2))
    seconds = time.monotonic() - begun
    after = resident_mb(os.getpid())
    assert right.total() == REQUESTS
    grown = {process: after[process] - before[process] for process in before if process != os.getpid()}
    worst = max(grown, key=lambda process: grown[process])
    for key, value in (
        ("requests", REQUESTS), ("requests_per_second", REQUESTS / seconds), ("before_mb", before[worst]),
        ("after_mb", after[worst]),
    ):  # fmt: skip
        record_property(key, round(value, 1))
        print(f"{key}: {value:.1f}")  # noqa: T201 -- shown by pytest -rP
    assert grown[worst] < GROWTH_MB
