"""Reading from a Cluster: the same values as from one server, through moved slots, lost nodes and fail-overs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
import redis

from feature_repo.errors import OnlineStoreError
from keepgrow.online_store import claim_store, note_filled
from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from serving.errors import StoreUnavailable
from serving.features.keys import EntityKeys
from serving.features.reader import OnlineReader
from tests.faults.proxy import Fault, running_proxy
from tests.faults.stores import HOST, client, cluster, cluster_url, eventually
from tests.faults.test_sentinel import read_until_it_works
from tests.serving.world import IDLE, account_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.serving.conftest import World

IDS = [*account_ids()[:-1], IDLE, "nobody", "{tagged}-1", "{}", "}{", "{a}{b}"]


def write_cluster(port: int, world: World) -> None:
    """Copy what the world's own store holds to the Cluster that has a node on *port*."""
    keys = EntityKeys(world.contract.project, world.contract.join_key)
    with redis.Redis.from_url(world.redis_url) as source, redis.RedisCluster(host=HOST, port=port) as target:
        for account_id in IDS:
            row = source.hgetall(keys.key(account_id))
            if account_id[0] in "{}":
                row = source.hgetall(keys.key(IDS[0]))
            if row:
                target.hset(keys.key(account_id), mapping=row)


@pytest.fixture(scope="module")
def nodes(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """Return a filled Cluster of three masters, by port."""
    with cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        write_cluster(next(iter(nodes)), world)
        yield nodes


async def test_a_cluster_says_what_a_single_server_says(world: World, nodes: dict) -> None:
    """One account, many accounts and awkward ids read equal, whichever node is named first."""
    single = OnlineReader(world.bundle.manifest, world.redis_url)
    expected = await single.read(IDS, 2)
    for port in nodes:
        reader = OnlineReader(world.bundle.manifest, cluster_url([port]))
        await reader.check_store(2)
        await reader.ping(2)
        rows = await reader.read(IDS, 2)
        known = len(account_ids())
        np.testing.assert_array_equal(rows.matrix[:known], expected.matrix[:known])
        np.testing.assert_array_equal(rows.as_of[:known], expected.as_of[:known])
        assert rows.context[:known] == expected.context[:known]
        assert rows.known.tolist() == [account_id != "nobody" for account_id in IDS]
        for number, account_id in enumerate(IDS):
            alone = await reader.read([account_id], 2)
            np.testing.assert_array_equal(alone.matrix[0], rows.matrix[number])
        await asyncio.gather(*(reader.read([account_id], 5) for account_id in IDS * 10))
        await reader.close()
    await single.close()


async def test_readers_that_give_up_cost_the_others_nothing(world: World, nodes: dict) -> None:
    """Hundreds of reads that are cancelled or too late leave connections that work, with nobody's replies mixed up."""
    reader = OnlineReader(world.bundle.manifest, cluster_url(list(nodes)))
    expected = await reader.read(IDS, 2)
    for _ in range(40):
        reading = [asyncio.ensure_future(reader.read(ids, 2)) for ids in (IDS[:1], IDS[1:2], IDS)]
        await asyncio.sleep(0)
        for one in reading:
            one.cancel()
        with pytest.raises(StoreUnavailable):
            await reader.read(IDS, 0.00001)
    rows = await reader.read(IDS, 2)
    assert rows.context == expected.context
    await reader.close()


async def test_a_slot_that_moves_is_followed(world: World, nodes: dict) -> None:
    """While a slot is on its way to another node and once it is there, its account reads as before."""
    reader = OnlineReader(world.bundle.manifest, cluster_url(list(nodes)))
    expected = await reader.read(IDS, 2)
    keys = EntityKeys(world.contract.project, world.contract.join_key)
    key = keys.key(IDS[0])
    slot = client(next(iter(nodes))).cluster("KEYSLOT", key)
    names = {port: client(port).cluster("MYID") for port in nodes}
    owner = next(port for port in nodes if client(port).execute_command("CLUSTER COUNTKEYSINSLOT", slot))
    other = next(port for port in nodes if port != owner)
    client(other).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[owner])
    client(owner).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[other])
    for ids in (IDS[:1], IDS):
        assert (await reader.read(ids, 2)).context == expected.context[: len(ids)]
    client(owner).execute_command("MIGRATE", HOST, other, key, 0, 2000)
    for ids in (IDS[:1], IDS):  # the owner answers ASK
        assert (await reader.read(ids, 2)).context == expected.context[: len(ids)]
    for port in (other, owner, *(port for port in nodes if port not in (owner, other))):
        client(port).execute_command("CLUSTER SETSLOT", slot, "NODE", names[other])
    for ids in (IDS[:1], IDS):  # and now MOVED
        assert (await reader.read(ids, 2)).context == expected.context[: len(ids)]
    await reader.close()


async def test_a_cluster_that_was_gone_is_read_again(world: World, nodes: dict) -> None:
    """After hundreds of reads in vain, by hanging and by refusing nodes, the first one that can succeed does."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(running_proxy(port)) for port in nodes]
        for fault in (Fault(refuse=True), Fault(silent=True)):
            reader = OnlineReader(world.bundle.manifest, cluster_url([proxy.port for proxy in proxies]))
            with ExitStack() as faults:
                for proxy in proxies:
                    faults.enter_context(proxy.faulty(fault))
                begun = time.monotonic()
                answers = await asyncio.gather(
                    *(reader.read(IDS[:1], 0.2) for _ in range(120)), return_exceptions=True
                )
                assert {type(answer) for answer in answers} == {StoreUnavailable}
                assert time.monotonic() - begun < 3
            seconds, _ = await read_until_it_works(reader, 5)
            assert seconds < 5
            assert (await reader.read(IDS, 2)).known.sum() == len(IDS) - 1
            await reader.close()


def test_a_cluster_is_claimed_like_a_single_server(nodes: dict, tmp_path: Path) -> None:
    """`keepgrow up` notes in a Cluster too whose features it holds."""
    url = cluster_url(list(nodes))
    assert claim_store(url, tmp_path / "first", shared=True) is None
    note_filled(url, "print-1")
    assert claim_store(url, tmp_path / "first", shared=True) == "print-1"
    with pytest.raises(OnlineStoreError, match="/first"):
        claim_store(url, tmp_path / "second", shared=True)


async def test_a_hung_master_neither_fails_nor_delays_accounts_that_are_asked_about_with_its_own(
    world: World, nodes: dict
) -> None:
    """Of requests that arrive together those of the hung node's accounts get 503, all others their score at once.

    A request for several accounts of which one is on that node gets 503 as a whole.
    """
    url, deadline = cluster_url(list(nodes)), 1.0
    app = KeepgrowApp(world.settings(redis_url=url, redis_timeout_seconds=deadline))
    await app.start(find_bundle(world.tag, world.home / "models"))
    keys = EntityKeys(world.contract.project, world.contract.join_key)
    ids = [*account_ids()[:-1], IDLE]
    slots = {one: client(next(iter(nodes))).cluster("KEYSLOT", keys.key(one)) for one in ids}
    hung = next(iter(nodes))
    held = {
        slot
        for first, last, master, *_ in client(hung).execute_command("CLUSTER SLOTS")
        if int(master[1]) == hung
        for slot in range(first, last + 1)
    }
    lost = {one for one in ids if slots[one] in held}
    kept = [one for one in ids if one not in lost]
    assert lost
    assert kept
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as asker:

        async def ask(account_id: str) -> tuple[str, int, float]:
            begun = time.monotonic()
            answer = await asker.post("/v1/score", json={"account_id": account_id})
            return account_id, answer.status_code, time.monotonic() - begun

        async def several(names: list[str]) -> httpx.Response:
            return await asker.post("/v1/score", json={"account_ids": names})

        os.kill(nodes[hung].pid, signal.SIGSTOP)
        try:
            for _ in range(3):
                answers = await asyncio.gather(*(ask(one) for one in ids))
                assert {one for one, status, _ in answers if status == 503} == lost
                assert {one for one, status, _ in answers if status == 200} == set(kept)
                assert max(seconds for one, _, seconds in answers if one not in lost) < deadline / 2
                assert max(seconds for one, _, seconds in answers if one in lost) < deadline * 2
            whole = await several(ids)
            assert (whole.status_code, whole.headers["retry-after"]) == (503, "1")
            assert (await several(kept)).status_code == 200
        finally:
            os.kill(nodes[hung].pid, signal.SIGCONT)
        async with asyncio.timeout(20):
            while (await several(ids)).status_code != 200:  # noqa: ASYNC110 -- another process recovers
                await asyncio.sleep(0.1)
        assert {status for _, status, _ in await asyncio.gather(*(ask(one) for one in ids))} == {200}
    await app.stop()


async def test_a_hung_master_fails_its_own_accounts_only_until_its_replica_takes_over(
    world: World, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Accounts of the other masters are read throughout; after the fail-over all are, without a new reader."""
    with cluster(tmp_path, replicas=1) as nodes:
        ports = list(nodes)
        write_cluster(ports[0], world)
        client(ports[0]).wait(1, 2000)
        reader = OnlineReader(world.bundle.manifest, cluster_url(ports[:3]))
        expected = await reader.read(IDS, 2)
        keys = EntityKeys(world.contract.project, world.contract.join_key)
        lost, kept = [], []
        for account_id in account_ids()[:-1]:
            slot = client(ports[1]).cluster("KEYSLOT", keys.key(account_id))
            (lost if slot < 16_384 // 3 else kept).append(account_id)
        os.kill(nodes[ports[0]].pid, signal.SIGSTOP)
        begun = time.monotonic()
        failures = slowest = 0.0
        while time.monotonic() - begun < 20:
            asked = time.monotonic()
            try:
                await reader.read(lost[:1], 0.2)
                break
            except StoreUnavailable:
                failures += 1
                slowest = max(slowest, time.monotonic() - asked)
            assert (await reader.read([kept[0]], 1)).known[0]
            await reader.ping(1)
        seconds = time.monotonic() - begun
        record_property("fail_over_seconds", round(seconds, 2))
        print(f"fail-over: {seconds:.1f} s, {failures:.0f} refusals, the slowest {slowest * 1000:.0f} ms")  # noqa: T201
        assert failures
        assert slowest < 1
        eventually("the replica is master", lambda: client(ports[3]).role()[0] == b"master")
        rows = await reader.read(IDS, 2)
        assert rows.context == expected.context
        os.kill(nodes[ports[0]].pid, signal.SIGCONT)
        await reader.close()
