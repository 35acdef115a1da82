"""Requests for several accounts end by their deadline, and take no more than their share of places."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from serving.api.score import MOST_BULK
from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from tests.faults.proxy import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.conftest import Store
    from tests.faults.proxy import Proxy

MANY = [f"acme-{number:04d}" for number in range(500)]
DEADLINE = 0.6


@pytest.fixture
async def app(store: Store, proxy: Proxy) -> AsyncIterator[KeepgrowApp]:
    """Return the app behind the proxy, with a short deadline."""
    settings = store.world.settings(
        redis_url=f"redis://127.0.0.1:{proxy.port}/0",
        request_timeout_seconds=DEADLINE,
        redis_timeout_seconds=5.0,
    )
    app = KeepgrowApp(settings)
    await app.start(find_bundle(store.world.tag, store.world.home / "models"))
    yield app
    await app.stop()


@pytest.fixture
async def client(app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the app."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "names"), [("/v1/score", MANY), ("/v1/score?explain=exact", MANY[:20])], ids=["500", "exactly"]
)
async def test_a_request_of_many_reads_ends_by_its_deadline(
    app: KeepgrowApp, client: httpx.AsyncClient, proxy: Proxy, path: str, names: list[str]
) -> None:
    """Where every read is in time but all together are not, the caller gets 503 soon, and nothing stays behind."""

    async def ask(count: int) -> httpx.Response:
        return await client.post(path, json={"account_ids": names[:count]})

    with proxy.faulty(Fault(latency_seconds=0.3 if len(names) > 20 else 1.0)):
        begun = time.monotonic()
        answer = await ask(len(names))
        seconds = time.monotonic() - begun
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "urn:keepgrow:problem:overloaded"
    assert DEADLINE <= seconds < DEADLINE + 1.0
    assert app.state is not None
    assert (app.state.bulk_in_flight, app.state.in_flight) == (0, 0)
    async with asyncio.timeout(5):
        while (await ask(20)).status_code != 200:  # noqa: ASYNC110 -- late replies of the proxy come first
            await asyncio.sleep(0.05)


async def test_requests_for_many_leave_places_for_single_ones(
    app: KeepgrowApp, client: httpx.AsyncClient, proxy: Proxy
) -> None:
    """Of more requests for many than a worker takes in, the rest is refused at once; single ones go on."""
    with proxy.faulty(Fault(latency_seconds=0.1)):
        waiting = [
            asyncio.create_task(client.post("/v1/score", json={"account_ids": MANY}))
            for _ in range(MOST_BULK)
        ]
        await asyncio.sleep(0.05)
        assert app.state is not None
        assert app.state.bulk_in_flight == MOST_BULK
        begun = time.monotonic()
        refused = await client.post("/v1/score", json={"account_ids": MANY[:2]})
        assert time.monotonic() - begun < DEADLINE / 2
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await client.post("/v1/score", json={"account_id": MANY[1]})).status_code == 200
        await asyncio.gather(*waiting)
    assert app.state.bulk_in_flight == 0
    assert (await client.post("/v1/score", json={"account_ids": MANY[:2]})).status_code == 200
