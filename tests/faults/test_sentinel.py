"""Reading through Sentinels: the same values as from one server, and on after a fail-over."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_repo.errors import OnlineStoreError
from keepgrow.online_store import claim_store, note_filled
from serving.errors import StoreUnavailable
from serving.features.reader import OnlineReader
from tests.faults.proxy import Fault, running_proxy
from tests.faults.stores import HOST, Guarded, client, guarded_by_sentinels
from tests.serving.world import IDLE, account_ids, write_online

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.serving.conftest import World

IDS = [*account_ids()[:-1], IDLE, "nobody"]
DEADLINE = 0.2


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Return a guarded master without accounts, for tests that leave it as it is."""
    with guarded_by_sentinels(tmp_path_factory.mktemp("sentinels")) as guarded:
        yield guarded


async def read_until_it_works(reader: OnlineReader, seconds: float = 20.0) -> tuple[float, float]:
    """Read in a loop until a read succeeds; return the seconds that took, and the slowest refusal's."""
    begun, slowest = time.monotonic(), 0.0
    while time.monotonic() - begun < seconds:
        asked = time.monotonic()
        try:
            await reader.read(IDS[:1], DEADLINE)
        except StoreUnavailable:
            slowest = max(slowest, time.monotonic() - asked)
            await asyncio.sleep(0.01)
        else:
            return time.monotonic() - begun, slowest
    raise AssertionError("no read succeeded")


async def test_a_fail_over_is_followed(
    world: World, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Values equal a single server's, and reads go on at the new master when the old one hangs for good."""
    with guarded_by_sentinels(tmp_path) as guarded:
        write_online(f"redis://{HOST}:{guarded.master_port}/0", world.contract, world.features)
        single = OnlineReader(world.bundle.manifest, f"redis://{HOST}:{guarded.master_port}/0")
        reader = OnlineReader(world.bundle.manifest, guarded.url())
        await reader.check_store(2)
        await reader.ping(2)
        expected, rows = await single.read(IDS, 2), await reader.read(IDS, 2)
        np.testing.assert_array_equal(rows.matrix, expected.matrix)
        np.testing.assert_array_equal(rows.as_of, expected.as_of)
        assert rows.context == expected.context
        assert rows.known.tolist() == [True] * (len(IDS) - 1) + [False]
        await asyncio.gather(*(reader.read(IDS[:1], 2) for _ in range(200)))  # more than a pool would have
        client(guarded.master_port).wait(1, 2000)

        os.kill(guarded.master.pid, signal.SIGSTOP)  # a machine that is gone sends no farewell
        seconds, slowest = await read_until_it_works(reader)
        record_property("fail_over_seconds", round(seconds, 2))
        print(f"fail-over: {seconds:.1f} s, slowest refusal {slowest * 1000:.0f} ms")  # noqa: T201
        assert slowest < 1
        assert guarded.master_by_sentinel() == guarded.replica_port
        again = await reader.read(IDS, 2)
        np.testing.assert_array_equal(again.matrix, expected.matrix)
        os.kill(guarded.master.pid, signal.SIGCONT)
        await reader.read(IDS, 2)
        await reader.ping(2)
        await reader.close()
        await single.close()


@pytest.mark.parametrize("fault", [Fault(silent=True), Fault(refuse=True), Fault(reset=True)])
async def test_one_faulty_sentinel_holds_nobody_up(world: World, guarded: Guarded, fault: Fault) -> None:
    """A Sentinel that hangs, is gone or resets connections leaves the others to say where the master is."""
    with running_proxy(guarded.sentinel_ports[0]) as proxy:
        url = guarded.url((proxy.port, *guarded.sentinel_ports[1:]))
        with proxy.faulty(fault):
            for _ in range(3):
                reader = OnlineReader(world.bundle.manifest, url)
                rows = await reader.read(["nobody"], 1)
                assert not rows.known[0]
                await reader.close()


def test_a_store_behind_sentinels_is_claimed_like_a_single_server(guarded: Guarded, tmp_path: Path) -> None:
    """`keepgrow up` notes at the master whose features it holds."""
    assert claim_store(guarded.url(), tmp_path / "first", shared=True) is None
    note_filled(guarded.url(), "print-1")
    assert claim_store(guarded.url(), tmp_path / "first", shared=True) == "print-1"
    with pytest.raises(OnlineStoreError, match="/first"):
        claim_store(guarded.url(), tmp_path / "second", shared=True)
    client(guarded.master_port).flushall()


async def test_no_sentinel_that_answers_is_a_store_that_is_gone(world: World, guarded: Guarded) -> None:
    """Without any Sentinel, or with a master that none of them knows, the error comes in time and says so."""
    with running_proxy(guarded.sentinel_ports[0]) as proxy:
        reader = OnlineReader(world.bundle.manifest, guarded.url((proxy.port,)))
        with proxy.faulty(Fault(silent=True)):
            begun = time.monotonic()
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await reader.read(["nobody"], DEADLINE)
            assert time.monotonic() - begun < 3
        await reader.read(["nobody"], 1)
        await reader.close()
        stranger = OnlineReader(world.bundle.manifest, guarded.url().replace("/accounts/", "/others/"))
        with pytest.raises(StoreUnavailable, match="others"):
            await stranger.read(["nobody"], 1)
        await stranger.close()
