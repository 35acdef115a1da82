"""What the log says of a store that does not answer: which kind of fault, and not a line for each request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from structlog.testing import capture_logs

from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from tests.faults.proxy import Fault

if TYPE_CHECKING:
    from tests.faults.conftest import Store
    from tests.faults.proxy import Proxy

REQUESTS = 20


@pytest.mark.parametrize(
    ("fault", "reason", "says"),
    [
        (Fault(silent=True), "timeout", "did not answer within 100 ms"),
        (Fault(refuse=True), "unreachable", "can't be reached"),
        (
            Fault(reply=b"-LOADING Valkey is loading the dataset in memory\r\n"),
            "refused",
            "refuses: LOADING Valkey is loading",
        ),
        (
            Fault(reply=b"-ERR unknown command 'HMGET', with args beginning with: 'acme-0001' \r\n"),
            "refused",
            "refuses: ERR unknown command",
        ),
    ],
    ids=["hangs", "refuses connections", "loading", "quotes the command"],
)
async def test_an_outage_is_told_by_its_kind_about_once_a_second(
    store: Store, proxy: Proxy, fault: Fault, reason: str, says: str
) -> None:
    """Of a burst of refused requests one line is written; it names the fault and the store, and no account."""
    world = store.world
    url = f"redis://127.0.0.1:{proxy.port}/0"
    app = KeepgrowApp(world.settings(redis_url=url, redis_timeout_seconds=0.1))
    await app.start(find_bundle(world.tag, world.home / "models"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        with proxy.faulty(fault), capture_logs() as lines:
            begun = asyncio.get_running_loop().time()
            answers = await asyncio.gather(
                *(client.post("/v1/score", json={"account_id": f"acme-{n:04d}"}) for n in range(REQUESTS))
            )
            seconds = asyncio.get_running_loop().time() - begun
    await app.stop()
    assert {answer.status_code for answer in answers} == {503}
    told = [line for line in lines if line["event"] == "refused"]
    assert 1 <= len(told) <= 1 + seconds
    assert {(line["reason"], line["problem"], line["log_level"]) for line in told} == {
        (reason, "store-unavailable", "warning")
    }
    assert says in told[0]["detail"]
    assert "acme-" not in told[0]["detail"]
