"""Our reader, by packed rows and field by field, and Feast's own client say the same, value for value."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest
import redis
from feast.infra.online_stores.redis import RedisOnlineStore

from feature_repo.packed import pack_row
from feature_repo.pipeline.views import VIEWS, view
from feature_repo.push_rows import EXACT_IN_FEAST
from feature_repo.store import push
from serving.features.errors import StoreFormatError
from serving.features.reader import OnlineReader
from tests.feature_repo.feast.random_features import AWKWARD_IDS, END, random_column, row

FEAST_BLOCK = 100
WRITTEN = 300
UNKNOWN = ("nobody", "account-0 ", "Account-0", "zürich gmbh", "\ud800")


@pytest.fixture
def make_reader():
    """Return what makes a reader of a filled store."""
    return lambda filled: OnlineReader(filled.manifest, filled.url)


@dataclass(frozen=True)
class FeastRead:
    """What Feast's client reads of some accounts.

    Attributes:
        values: Feature -> values in the accounts' order.
        times: Shape (accounts, views), event times in epoch seconds, NaN where there is no row.
    """

    values: dict[str, list]
    times: np.ndarray


def by_feast(filled, accounts):
    """Return what Feast's client reads, in blocks, of which it is done with those of a hundred soonest."""
    service = filled.feast.get_feature_service("keepgrow_v1")
    firsts = {spec.served[0].name: column for column, spec in enumerate(VIEWS)}
    values: dict[str, list] = defaultdict(list)
    times = np.full((len(accounts), len(VIEWS)), np.nan)
    for start in range(0, len(accounts), FEAST_BLOCK):
        block = accounts[start : start + FEAST_BLOCK]
        answer = filled.feast.get_online_features(service, [{"account_id": one} for one in block])
        for name, some in answer.to_dict().items():
            values[name] += some
        results = zip(answer.proto.metadata.feature_names.val, answer.proto.results, strict=True)
        for name, result in results:
            if name in firsts:
                for number, time in enumerate(result.event_timestamps, start):
                    if time.seconds or time.nanos:
                        times[number, firsts[name]] = time.seconds + time.nanos / 1e9
    return FeastRead(values, times)


def as_number(value, feature, filled):
    """Return what a model gets for a value that Feast's client returned."""
    if value is None:
        return math.nan
    if feature.dtype == "String":
        categories = next(one.categories for one in filled.manifest.encodings if one.feature == feature.name)
        return float(categories.index(value)) if value in categories else math.nan
    return float(value)


async def assert_read_alike(filled, reader, accounts, *, unpacked=()):
    """Insist that both ways of reading give what Feast's client returns, and return the rows of the first way.

    Those who are *unpacked* are the ones who have to be read field by field.
    """
    replies = await reader._ask(accounts, reader._packed_fields, 10)
    _, left = reader._packed.decode(accounts, replies)
    assert {accounts[place] for place in left} == set(unpacked)
    feast = by_feast(filled, accounts)
    rows = await reader.read(accounts, 10)
    for found in (rows, await reader._read_by_feature(accounts, 10)):
        assert_same(filled, found, feast)
    return rows


def assert_same(filled, rows, feast):
    """Insist that *rows* hold exactly what Feast's client returned for their accounts."""
    expected = feast.values
    contract = filled.manifest.contract
    for column, feature in enumerate(contract.model_features):
        numbers = np.array([as_number(value, feature, filled) for value in expected[feature.name]])
        np.testing.assert_array_equal(rows.matrix[:, column], numbers, err_msg=feature.name)
        there = ~np.isnan(numbers)
        np.testing.assert_array_equal(np.signbit(rows.matrix[there, column]), np.signbit(numbers[there]))
    told = [f.name for f in contract.features if f.role == "policy" or f.dtype == "String"]
    for number, context in enumerate(rows.context):
        assert context == {name: expected[name][number] for name in told}
        assert [type(context[name]) for name in told] == [type(expected[name][number]) for name in told]
    np.testing.assert_allclose(rows.as_of, feast.times, rtol=0, atol=1e-6)


async def test_every_value_is_the_one_that_feast_reads(filled, make_reader):
    """5,000 materialized accounts with nulls, missing views, awkward ids and extreme values agree."""
    reader = make_reader(filled)
    rows = await assert_read_alike(filled, reader, filled.accounts)
    assert rows.account_ids == filled.accounts
    assert np.isnan(rows.as_of).any(axis=0).all(), "every view lacks somebody"
    assert ((rows.matrix == 0) & np.signbit(rows.matrix)).any(), "a negative zero was among the values"
    await reader.close()


async def test_one_account_reads_as_it_does_among_many(filled, make_reader):
    """A single read gives the account's row of the many."""
    reader = make_reader(filled)
    rows = await reader.read(filled.accounts[:40], 10)
    for number, account in enumerate(filled.accounts[:40]):
        one = await reader.read([account], 10)
        np.testing.assert_array_equal(one.matrix[0], rows.matrix[number])
        np.testing.assert_array_equal(one.as_of[0], rows.as_of[number])
        assert one.context[0] == rows.context[number]
    assert rows.context[-3:] == tuple(rows.context)[-3:]
    assert rows.context == (await reader.read(filled.accounts[:40], 10)).context
    await reader.close()


async def test_unknown_accounts_are_not_known(filled, make_reader):
    """Ids that differ by case, a space or are no text at all are unknown, and all their values missing."""
    reader = make_reader(filled)
    there = [*UNKNOWN[:-1], "account-1"]  # Feast can't be asked about what is no text
    await assert_read_alike(filled, reader, there)
    rows = await reader.read([*UNKNOWN, "account-1"], 10)
    assert rows.known.tolist() == [False] * len(UNKNOWN) + [True]
    assert np.isnan(rows.matrix[: len(UNKNOWN)]).all()
    assert np.isnan(rows.as_of[: len(UNKNOWN)]).all()
    assert {value for context in rows.context[: len(UNKNOWN)] for value in context.values()} == {None}
    await reader.close()


async def test_order_and_repetition_are_the_callers(filled, make_reader):
    """Rows come in the order that was asked for; an account asked for twice comes twice."""
    reader = make_reader(filled)
    rows = await reader.read(["account-2", "account-1", "account-2"], 10)
    assert rows.account_ids == ("account-2", "account-1", "account-2")
    np.testing.assert_array_equal(rows.matrix[0], rows.matrix[2])
    empty = await reader.read([], 10)
    columns = len(filled.manifest.contract.model_features)
    assert (empty.matrix.shape, empty.as_of.shape, empty.known.shape) == ((0, columns), (0, len(VIEWS)), (0,))
    await reader.close()


def random_rows(spec, accounts, time, seed):
    """Return a whole random row of a view for each account, with integers that may be pushed."""
    rng = np.random.default_rng(seed)
    columns = {
        feature.name: random_column(feature, len(accounts), rng).to_pylist() for feature in spec.features
    }
    return [
        row(spec, one, time, **{name: _pushable(values[number]) for name, values in columns.items()})
        for number, one in enumerate(accounts)
    ]


def _pushable(value):
    return None if isinstance(value, int) and abs(value) > EXACT_IN_FEAST else value


async def test_pushed_and_directly_written_rows_agree(filled, make_reader):
    """After a push and after Feast's `write_to_online_store` both see the new rows and the views beside them."""
    reader = make_reader(filled)
    time = END + dt.timedelta(hours=7, microseconds=123456)
    pushed = [row(view("usage"), one, time, storage_gb=2.25, login_days_28d=28) for one in AWKWARD_IDS[1:]]
    pushed += random_rows(view("usage"), filled.accounts[10:WRITTEN], time, 1)
    push(filled.feast, "usage_push", pushed, now=time)
    written = random_rows(view("commercial"), filled.accounts[5 : WRITTEN + 5], time, 2)
    written[0] |= {"plan": "pro", "seats": 12, "mrr": -0.0, "is_trial": True}
    columns = {name: [one[name] for one in written] for name in written[0]} | {
        "created": [time] * len(written)
    }
    filled.feast.write_to_online_store("commercial", inputs=columns)
    accounts = filled.accounts[: WRITTEN + 50]
    rows = await assert_read_alike(filled, reader, accounts)
    column = [feature.name for feature in filled.manifest.contract.model_features].index("storage_gb")
    assert rows.matrix[0, column] == 2.25
    assert rows.as_of[0, 0] == pytest.approx(time.timestamp(), abs=1e-6)
    commercial = [spec.name for spec in VIEWS].index("commercial")
    np.testing.assert_allclose(rows.as_of[5 : WRITTEN + 5, commercial], time.timestamp(), rtol=0, atol=1e-6)
    await reader.close()


async def test_rows_that_feasts_own_class_wrote_agree(filled, make_reader, monkeypatch):
    """A row that Feast's own class wrote later is read and not the packed one before it; so is a new account's."""
    reader = make_reader(filled)
    time = END + dt.timedelta(hours=9)
    theirs = [*filled.accounts[20:40], "new to both"]
    written = random_rows(view("commercial"), theirs, time, 3)
    columns = {name: [one[name] for one in written] for name in written[0]} | {
        "created": [time] * len(theirs)
    }
    provider = filled.feast._get_provider()
    with monkeypatch.context() as patch:
        patch.setattr(provider, "_online_store", RedisOnlineStore())
        filled.feast.write_to_online_store("commercial", inputs=columns)
    accounts = [*filled.accounts[:60], "new to both"]
    rows = await assert_read_alike(filled, reader, accounts, unpacked=theirs)
    commercial = [spec.name for spec in VIEWS].index("commercial")
    assert (rows.as_of[20:40, commercial] == time.timestamp()).all()
    for name in theirs[-3:]:
        one = await reader.read([name], 10)
        np.testing.assert_array_equal(one.matrix[0], rows.matrix[accounts.index(name)])
        assert one.context[0] == rows.context[accounts.index(name)]
    ours = time + dt.timedelta(seconds=1)
    later = random_rows(view("commercial"), theirs, ours, 4)
    columns = {name: [one[name] for one in later] for name in later[0]} | {"created": [ours] * len(theirs)}
    filled.feast.write_to_online_store("commercial", inputs=columns)
    await assert_read_alike(filled, reader, accounts)
    await reader.close()


async def test_where_packed_rows_are_missing_they_are_soon_not_asked_for(filled, make_reader):
    """On a store without packed rows most reads take one command an account, and packed rows are used once there."""
    url = filled.url.removesuffix("/4") + "/8"
    names = filled.accounts[:40]
    reader = make_reader(filled)
    lacking = OnlineReader(filled.manifest, url)
    keys = reader._keys.keys(names)
    packed = [layout.field for layout in filled.manifest.contract.layouts]
    with redis.Redis.from_url(filled.url) as source, redis.Redis.from_url(url) as client:
        client.flushdb()
        for key in keys:
            client.hset(key, mapping=source.hgetall(key))
            client.hdel(key, *packed)
        expected = await reader.read(names, 10)
        before = client.info("commandstats")["cmdstat_hmget"]["calls"]
        for _ in range(10):
            rows = await lacking.read(names, 10)
            np.testing.assert_array_equal(rows.matrix, expected.matrix)
            assert rows.context == expected.context
        commands = client.info("commandstats")["cmdstat_hmget"]["calls"] - before
        assert commands <= 12 * len(names)
        for key in keys:
            client.hset(key, mapping=source.hgetall(key))
        before = client.info("commandstats")["cmdstat_hmget"]["calls"]
        for _ in range(100):
            await lacking.read(names, 10)
        assert client.info("commandstats")["cmdstat_hmget"]["calls"] - before == 100 * len(names)
        assert lacking._unpacked_share < 0.5
        client.flushdb()
    await reader.close()
    await lacking.close()


async def test_a_packed_row_that_says_something_else_is_refused_at_the_start(filled, make_reader):
    """Whoever changes Feast's fields and leaves event time and packed row as they were is found out by the check."""
    url = filled.url.removesuffix("/4") + "/8"
    reader, checking = make_reader(filled), OnlineReader(filled.manifest, url)
    name = next(one for one in filled.accounts if one.startswith("account-"))
    key = reader._keys.key(name)
    seats = next(one for one in filled.manifest.contract.features if one.name == "seats")
    with redis.Redis.from_url(filled.url) as source, redis.Redis.from_url(url) as client:
        client.flushdb()
        client.hset(key, mapping=source.hgetall(key) | {b"_ts:commercial": b""})
        every = {feature.name: None for feature in filled.manifest.contract.features}
        layout = next(one for one in filled.manifest.contract.layouts if one.view == "commercial")
        client.hset(key, layout.field, pack_row(layout, 0, 0, every | {"seats": 7}))
        for field in [one for one in filled.manifest.contract.features if one.view == "commercial"]:
            client.hset(key, bytes.fromhex(field.redis_field_hex), b"")
        client.hset(key, bytes.fromhex(seats.redis_field_hex), b"\x20\x08")
        assert (await checking.read([name], 1)).as_of[0].tolist().count(0.0) == 1
        with pytest.raises(
            StoreFormatError, match=r"_row:commercial of account .* what its own field says of seats"
        ):
            await checking.check_store(10)
        client.flushdb()
    await reader.close()
    await checking.close()


async def test_a_store_that_fits_passes_the_check(filled, make_reader):
    """The check at the start finds nothing wrong with a store that Feast filled from the same definitions."""
    reader = make_reader(filled)
    await reader.check_store(10)
    await reader.close()


async def test_an_empty_store_passes_the_check(filled):
    """A store without accounts contradicts nothing."""
    empty = filled.url.removesuffix("/4") + "/9"
    with redis.Redis.from_url(empty) as client:
        client.flushdb()
    reader = OnlineReader(filled.manifest, empty)
    await reader.check_store(10)
    await reader.close()
