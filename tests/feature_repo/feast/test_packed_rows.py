"""What the online store class writes beside Feast's own fields, and that those are Feast's own."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
import redis
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.contract import RowLayout, row_field
from feature_repo.contract_compiler import compile_contract, row_layout
from feature_repo.online import UNPACKED, KeepgrowRedisOnlineStore
from feature_repo.packed import pack_row
from feature_repo.pipeline.views import VIEWS
from feature_repo.views.making import feature_view

TIME = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
MADE = {
    "Float64": (1.25, "double_val"),
    "Int64": (2**62 + 1, "int64_val"),
    "String": ("Größe", "string_val"),
    "Bool": (True, "bool_val"),
}


def values_of(view, **other):
    """Return a Feast value for every feature of a view: its type's, or what *other* says."""
    spec = next(one for one in VIEWS if one.name == view.name)
    made = {}
    for feature in spec.features:
        value, kind = MADE[feature.dtype]
        made[feature.name] = Value(**{kind: value})
    return made | other


def write(online, store, view, account_id, values, time=TIME):
    """Write one row by *online*."""
    key = EntityKey(join_keys=["account_id"], entity_values=[Value(string_val=account_id)])
    online.online_write_batch(store.config, view, [(key, values, time, None)], None)


@pytest.fixture
def ours():
    """Return our store class."""
    return KeepgrowRedisOnlineStore()


@pytest.fixture
def stored(settings):
    """Return what reads the only hash that the store holds."""

    def read():
        with redis.Redis.from_url(settings.redis_url) as client:
            (key,) = client.keys("*")
            return client.hgetall(key)

    return read


@pytest.mark.parametrize("name", [spec.name for spec in VIEWS])
def test_feasts_own_fields_are_feasts_own(store, settings, ours, stored, name):
    """But for the packed row, what is written is byte for byte what Feast's own class writes."""
    view = store.get_feature_view(name)
    values = values_of(view, **{view.features[0].name: Value()})
    write(ours, store, view, "a", values)
    found = stored()
    with redis.Redis.from_url(settings.redis_url) as client:
        client.flushdb()
    write(RedisOnlineStore(), store, view, "a", values)
    assert {field: value for field, value in found.items() if field != row_field(name)} == stored()


@pytest.mark.parametrize("name", [spec.name for spec in VIEWS])
def test_the_packed_row_is_as_the_contract_says(store, ours, stored, name):
    """Writer and contract come to the same layout, features for analysis alone left out, and the time is exact."""
    view = store.get_feature_view(name)
    write(ours, store, view, "a", values_of(view))
    layout = next(one for one in compile_contract(store, "keepgrow_v1").layouts if one.view == name)
    assert layout == row_layout(view)
    spec = next(one for one in VIEWS if one.name == name)
    plain = {feature.name: MADE[feature.dtype][0] for feature in spec.features}
    assert stored()[row_field(name)] == pack_row(layout, int(TIME.timestamp()), 250_000_000, plain)


def test_later_and_equal_times_replace_a_packed_row_and_earlier_ones_do_not(store, ours, stored):
    """The packed row is always that of Feast's fields beside it."""
    view = store.get_feature_view("peers")
    layout = row_layout(view)
    assert isinstance(layout, RowLayout)
    name = layout.numbers[0][0]

    def written(number, time):
        write(ours, store, view, "a", values_of(view, **{name: Value(double_val=number)}), time)
        return stored()[row_field("peers")]

    first = written(1.0, TIME)
    assert written(2.0, TIME - DAY) == first
    second = written(3.0, TIME)
    assert second != first
    assert written(4.0, TIME + DAY) != second


@pytest.mark.parametrize("value", [None, Value(float_val=1.0), Value(string_val="1")])
def test_a_row_that_cannot_be_packed_is_marked(store, ours, stored, value):
    """A row that lacks a feature, or has one of another type, leaves no packed row of before to be believed."""
    view = store.get_feature_view("peers")
    layout = row_layout(view)
    assert layout is not None
    values = values_of(view)
    write(ours, store, view, "a", values)
    values.pop(layout.numbers[0][0])
    write(ours, store, view, "a", values if value is None else values | {layout.numbers[0][0]: value})
    assert stored()[row_field("peers")] == UNPACKED


def test_a_view_of_which_nothing_is_served_is_not_packed():
    """Neither is one with a feature of a type that is never served."""
    spec = next(one for one in VIEWS if one.name == "peers")
    offline = replace(spec, features=tuple(replace(one, role="offline") for one in spec.features))
    assert row_layout(feature_view(spec)) is not None
    assert row_layout(feature_view(offline)) is None


def test_a_deleted_view_leaves_no_packed_row(store, ours, stored):
    """Packed rows go with the rows of their view, and those of other views stay."""
    for name in ("peers", "usage"):
        write(ours, store, store.get_feature_view(name), "a", values_of(store.get_feature_view(name)))
    ours.delete_table(store.config, store.get_feature_view("peers"))
    left = stored()
    assert row_field("peers") not in left
    assert row_field("usage") in left
    assert b"_ts:peers" not in left
