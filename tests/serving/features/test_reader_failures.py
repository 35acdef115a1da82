"""What the reader does when the store is gone, hangs, refuses, or holds something else."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import redis
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.contract import FeatureContract
from keepgrow.valkey import running_valkey
from serving.errors import ServingError, StoreUnavailable
from serving.features.errors import StoreFormatError
from serving.features.keys import EntityKeys
from serving.features.reader import OnlineReader

LIMIT_SECONDS = 3.0  # many times what is promised: the machine that tests may be busy


def server_pid(url):
    """Return the process of the server at *url*."""
    with redis.Redis.from_url(url) as client:
        return client.info("server")["process_id"]


@pytest.fixture
def make_reader(filled):
    """Return what makes a reader for a URL."""
    return lambda url: OnlineReader(filled.manifest, url)


async def test_a_dead_store_is_unavailable_at_once(make_reader):
    """Where nobody listens, a read, a ping and the check say so and do not wait."""
    reader = make_reader("redis://127.0.0.1:1/0")
    begun = time.monotonic()
    for call in (reader.read(["a"], 0.2), reader.ping(0.2), reader.check_store(0.2)):
        with pytest.raises(StoreUnavailable, match="online store at 127"):
            await call
    assert time.monotonic() - begun < LIMIT_SECONDS
    await reader.close()


async def test_a_hung_store_is_unavailable_in_time_and_comes_back(make_reader, tmp_path):
    """A server that hangs costs each of many readers its deadline and no more; woken up, it is used again."""
    with running_valkey(tmp_path) as url:
        reader = make_reader(url)
        await reader.read(["a"], 1)
        pid = server_pid(url)
        os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            answers = await asyncio.gather(
                *(reader.read(["a"], 0.2) for _ in range(50)), return_exceptions=True
            )
            assert time.monotonic() - begun < LIMIT_SECONDS
            assert {type(answer) for answer in answers} == {StoreUnavailable}
        finally:
            os.kill(pid, signal.SIGCONT)
        rows = await reader.read(["a"], 1)
        assert not rows.known[0]
        await reader.close()


async def test_a_restarted_store_is_used_again(make_reader, tmp_path):
    """After the server was gone and came back on its port, the first read works."""
    with running_valkey(tmp_path) as url:
        reader = make_reader(url)
        await reader.ping(1)
    with pytest.raises(StoreUnavailable):
        await reader.read(["a"], 0.2)
    with running_valkey(tmp_path) as again:
        assert again == url
        await reader.read(["a"] * 40, 1)
        await reader.ping(1)
        await reader.close()


async def test_a_cancelled_read_leaves_the_next_one_its_own_answer(filled, make_reader):
    """Replies are not mixed up when callers give up in between."""
    reader = make_reader(filled.url)
    expected = await reader.read(["account-7"], 5)
    for _ in range(30):
        abandoned = asyncio.ensure_future(reader.read(["account-8", "account-9"], 5))
        await asyncio.sleep(0)
        abandoned.cancel()
        rows = await reader.read(["account-7"], 5)
        assert rows.context == expected.context
        np.testing.assert_array_equal(rows.as_of, expected.as_of)
        assert rows.known.all()
    await reader.close()


async def test_many_readers_at_once_each_get_their_own_answer(filled, make_reader):
    """Answers to single reads and to long ones that run at the same time are not mixed up."""
    reader = make_reader(filled.url)
    alone = {one: (await reader.read([one], 5)).context[0] for one in filled.accounts[:60]}

    async def check(accounts):
        rows = await reader.read(accounts, 20)
        assert list(rows.context) == [alone[one] for one in accounts]
        assert rows.known.all()

    names = list(alone)
    await asyncio.gather(
        *(check([name]) for name in names), *(check(names[n:] + names[:n]) for n in range(5))
    )
    await reader.close()


async def test_a_refusing_server_is_unavailable(make_reader, tmp_path):
    """A server that wants a password we lack, or is given a wrong one, is named as refusing."""
    with running_valkey(tmp_path) as url:
        with redis.Redis.from_url(url) as client:
            client.config_set("requirepass", "secret")
        for bad in (url, url.replace("//", "//:wrong@")):
            reader = make_reader(bad)
            with pytest.raises(StoreUnavailable):
                await reader.read(["a"], 1)
            with pytest.raises(StoreUnavailable):
                await reader.ping(1)
            await reader.close()
        reader = make_reader(url.replace("//", "//:secret@").removesuffix("/0") + "/5")
        await reader.ping(1)
        assert not (await reader.read(["a"], 1)).known[0]
        await reader.close()


@pytest.mark.parametrize(
    ("dtype", "wrong"),
    [
        ("Float64", Value(int64_val=7)),
        ("Float64", Value(float_val=7)),
        ("Int64", Value(double_val=7)),
        ("Int64", Value(string_val="7")),
        ("String", Value(bytes_val=b"7")),
        ("Bool", Value(int64_val=1)),
    ],
)
async def test_a_value_of_another_type_is_named(filled, make_reader, dtype, wrong):
    """A field that holds another type stops the read, and the error names account, view, feature and type."""
    url = filled.url.removesuffix("/4") + "/5"
    contract = filled.manifest.contract
    key = EntityKeys(contract.project, contract.join_key).key("odd")
    with redis.Redis.from_url(url) as client:
        for feature in [one for one in contract.features if one.dtype == dtype][:2]:
            client.delete(key)
            field, time = bytes.fromhex(feature.redis_field_hex), f"_ts:{feature.view}"
            client.hset(key, mapping={field: wrong.SerializeToString(), time: b"\x08\x01"})
            reader = make_reader(url)
            with pytest.raises(
                StoreFormatError, match=f"{feature.view}:{feature.name} of account 'odd'.*{dtype}"
            ):
                await reader.read(["fine", "odd"], 1)
            with pytest.raises(StoreFormatError, match=f"{feature.view}:{feature.name}"):
                await reader.check_store(1)
            await reader.close()
        client.set(key, "no hash")
        reader = make_reader(url)
        with pytest.raises(StoreFormatError, match="account 'odd'"):
            await reader.read(["odd"], 1)
        with pytest.raises(StoreFormatError, match="account 'odd'"):
            await reader.read(["fine", "odd"], 1)
        await reader.close()
        client.delete(key)


async def test_a_feature_that_the_store_lacks_is_found_at_the_start(filled):
    """A contract with a feature that nobody brought online does not pass, and the feature is named."""
    contract = filled.manifest.contract
    new = contract.features[0].model_copy(update={"name": "new_7d", "redis_field_hex": "00000000"})
    newer = FeatureContract(**(contract.model_dump() | {"features": (new, *contract.features[1:])}))
    reader = OnlineReader(replace(filled.manifest, contract=newer), filled.url)
    with pytest.raises(StoreFormatError, match="nothing for usage:new_7d"):
        await reader.check_store(5)
    await reader.close()


def test_a_string_feature_without_an_encoding_is_refused(filled):
    """A model that would get a text as NaN without anybody having said so is refused."""
    with pytest.raises(ValueError, match="plan"):
        OnlineReader(replace(filled.manifest, encodings=()), filled.url)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "localhost:6379", "redis://127.0.0.1/main"])
def test_a_url_that_cannot_be_used_is_refused(filled, url):
    """The error names the setting."""
    with pytest.raises(ServingError, match="REDIS_URL"):
        OnlineReader(filled.manifest, url)


def test_the_reader_does_not_import_feast():
    """Serving reads what Feast wrote without Feast, which costs seconds to import."""
    code = "import serving.features.reader, sys; sys.exit('feast' in sys.modules or 'pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
