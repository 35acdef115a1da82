"""Apply, materialize and push through Feast, on a real server."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import textwrap

import duckdb
import pytest
import redis
from feast import FeatureView
from feast.feature_view import FeatureViewState
from feast.infra.registry.sql import SqlRegistry

from feature_repo import registry as registry_module
from feature_repo.entities import account
from feature_repo.errors import ContractError, OnlineStoreError, PipelineError
from feature_repo.pipeline.views import VIEWS, view
from feature_repo.sources import batch_source
from feature_repo.store import apply, materialize, open_store, push
from tests.feature_repo.feast.random_features import END, row, write_features, write_view

DAY = dt.timedelta(days=1)
SERVICE = "keepgrow_v1"


def online(store, feature, account_id="a"):
    """Return one online value as Feast's own client reads it."""
    answer = store.get_online_features([feature], [{"account_id": account_id}]).to_dict()
    return answer[feature.split(":")[1]][0]


def write_constant(settings, day_end, value, accounts=("a",), seed=1):
    """Write every view with random values, and usage with `storage_gb` everywhere *value*."""
    for number, spec in enumerate(VIEWS):
        write_view(settings.features_dir, spec, accounts, [day_end], seed * 100 + number)
    path = next((settings.features_dir / "usage").glob(f"*-{seed * 100}.parquet"))
    changed = path.with_suffix(".new")
    duckdb.read_parquet(str(path)).project(f"* REPLACE ({value}::DOUBLE AS storage_gb)").write_parquet(
        str(changed)
    )
    changed.replace(path)


def test_apply_registers_every_view_as_specified(store):
    """The registry holds each view's words, owner, limit and features in order, with their tags."""
    for spec in VIEWS:
        registered = store.get_feature_view(spec.name)
        assert (registered.description, registered.owner) == (spec.description, spec.owner)
        assert registered.ttl == dt.timedelta(days=spec.freshness_days)
        assert registered.join_keys == ["account_id"]
        assert [field.name for field in registered.features] == [feature.name for feature in spec.features]
        for field, feature in zip(registered.features, spec.features, strict=True):
            assert str(field.dtype) == feature.dtype
            assert field.description == feature.description
            assert field.tags == {"signal": feature.signal, "role": feature.role, "text": feature.text}


def test_apply_registers_sources_and_service(store):
    """Usage and profile take pushes, every view reads Parquet files, the service names all that is served."""
    assert {source.name for source in store.list_data_sources()} == {
        "usage_push", "profile_push", *(f"{spec.name}_daily" for spec in VIEWS),
    }  # fmt: skip
    source = store.get_data_source("usage_daily")
    assert (source.timestamp_field, source.created_timestamp_column) == ("event_timestamp", "created")
    assert source.path.endswith("/features/usage/*.parquet")
    service = store.get_feature_service(SERVICE)
    assert [
        (one.name, [field.name for field in one.features]) for one in service.feature_view_projections
    ] == [(spec.name, [feature.name for feature in spec.served]) for spec in VIEWS]


def test_apply_forgets_a_view_that_is_no_longer_defined(store, settings):
    """A view that the code no longer has leaves the registry with the next apply."""
    source = batch_source(VIEWS[0], settings.features_dir)
    source.name = "old_daily"
    schema = store.get_feature_view("usage").schema
    store.apply([FeatureView(name="old", entities=[account], ttl=DAY, source=source, schema=schema)])
    assert "old" in [one.name for one in store.list_feature_views()]
    apply(store, settings.features_dir)
    assert {one.name for one in store.list_feature_views()} == {spec.name for spec in VIEWS}


def test_applying_again_keeps_what_was_materialized(store, settings):
    """A repeated apply loses no materialization state."""
    write_features(settings.features_dir, ["a", "b"])
    materialize(store, END)
    apply(store, settings.features_dir)
    assert {one.most_recent_end_time for one in store.list_feature_views()} == {END}


def test_materialize_brings_the_newest_row_up_to_the_end(store, settings):
    """Of several days the last one not after the end is online, and later days are not."""
    for age, value in ((1, 10), (0, 20), (-1, 30)):
        write_constant(settings, END - age * DAY, value, seed=age + 5)
    materialize(store, END)
    assert online(store, "usage:storage_gb") == 20


def test_materialize_goes_on_where_it_ended(store, settings):
    """The second run looks only at what came after the first, and brings it online."""
    write_constant(settings, END, 20, seed=1)
    assert {done.start for done in materialize(store, END) if done.view == "usage"} == {END - 2 * DAY}
    write_constant(settings, END + DAY, 30, seed=2)
    done = materialize(store, END + DAY)
    assert {one.start for one in done} == {END}
    assert online(store, "usage:storage_gb") == 30


def test_a_gap_longer_than_the_limit_is_not_looked_at(store, settings):
    """After a long pause the window is the view's limit, since older rows would be stale anyway."""
    write_constant(settings, END, 20, seed=1)
    materialize(store, END)
    write_constant(settings, END + 30 * DAY, 30, seed=2)
    starts = {one.view: one.start for one in materialize(store, END + 30 * DAY)}
    assert starts["usage"] == END + 28 * DAY
    assert starts["engagement"] == END + 23 * DAY


def test_rebuilt_features_of_the_same_day_replace_the_old_ones(store, settings):
    """A correction with the same event time arrives online."""
    write_constant(settings, END, 20)
    materialize(store, END)
    write_constant(settings, END, 21)
    materialize(store, END)
    assert online(store, "usage:storage_gb") == 21


def test_an_earlier_end_does_not_turn_the_store_back(store, settings):
    """Materializing up to an earlier time leaves newer rows where they are."""
    write_constant(settings, END - DAY, 10, seed=1)
    write_constant(settings, END, 20, seed=2)
    materialize(store, END)
    materialize(store, END - DAY)
    assert online(store, "usage:storage_gb") == 20


def test_an_emptied_server_is_filled_again(store, settings):
    """A server that lost its data gets the whole window back, though the registry says that it has it."""
    write_constant(settings, END - DAY, 10, accounts=("old",), seed=1)
    write_constant(settings, END, 20, accounts=("new",), seed=2)
    materialize(store, END)
    with redis.Redis.from_url(settings.redis_url) as client:
        client.flushdb()
    materialize(store, END)
    assert [online(store, "usage:storage_gb", one) for one in ("old", "new")] == [10, 20]


def test_features_are_served_while_they_are_materialized(store, settings):
    """Reads through Feast's client go on between and during the steps of a materialization."""
    write_constant(settings, END, 20)
    materialize(store, END)
    view = store.get_feature_view("usage")
    view.state = FeatureViewState.MATERIALIZING
    store.registry.apply_feature_view(view, store.project)
    assert online(store, "usage:storage_gb") == 20
    seen = []
    write_constant(settings, END + DAY, 30, seed=2)
    materialize(store, END + DAY, lambda _: seen.append(online(store, "usage:storage_gb")))
    assert seen == [30] * len(VIEWS)


def test_progress_names_each_view_in_order(store, settings):
    """The caller hears of every view once it is online."""
    write_constant(settings, END, 20)
    names = []
    materialize(store, END, lambda done: names.append(done.view))
    assert names == [spec.name for spec in VIEWS]


def test_an_end_without_a_time_zone_is_refused(store):
    """A time that could mean two things is not guessed at."""
    with pytest.raises(ValueError, match="time zone"):
        materialize(store, END.replace(tzinfo=None))


def test_materialize_without_features_names_the_folder(store, settings):
    """Without feature files the error says which folder is empty, and nothing is written."""
    with pytest.raises(PipelineError, match=r"features/usage: no feature files of the view usage"):
        materialize(store, END)
    with redis.Redis.from_url(settings.redis_url) as client:
        assert client.dbsize() == 0


def test_materialize_before_apply_says_so(settings):
    """An empty registry is told apart from empty features."""
    with pytest.raises(ContractError, match="holds no feature views"):
        materialize(open_store(settings), END)


def test_an_unreachable_server_is_named(settings):
    """The error names the server's address, and not its password."""
    write_constant(settings, END, 20)
    gone = settings.model_copy(update={"redis_url": "redis://:secret@127.0.0.1:1/0"})
    store = open_store(gone)
    apply(store, gone.features_dir)
    with pytest.raises(OnlineStoreError, match=r"127\.0\.0\.1:1 ") as caught:
        materialize(store, END)
    assert "secret" not in str(caught.value)


def test_the_machines_time_zone_changes_nothing(settings):
    """In a process that runs twelve hours ahead of UTC the same rows go online."""
    write_constant(settings, END, 20, seed=1)
    write_constant(settings, END + dt.timedelta(hours=1), 30, seed=2)
    code = f"""
        import datetime as dt
        from pathlib import Path
        from feature_repo.settings import FeatureRepoSettings
        from feature_repo.store import apply, materialize, open_store
        settings = FeatureRepoSettings(
            features_dir=Path({str(settings.features_dir)!r}), registry={settings.registry!r},
            redis_url={settings.redis_url!r})
        store = open_store(settings)
        apply(store, settings.features_dir)
        materialize(store, dt.datetime.fromisoformat({END.isoformat()!r}))
    """
    environment = {**os.environ, "TZ": "Pacific/Auckland"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)
    assert online(open_store(settings), "usage:storage_gb") == 20


def test_the_registry_may_be_an_sql_database(settings, tmp_path):
    """With a database URL the definitions and the materialization state live there."""
    write_constant(settings, END, 20)
    sql = settings.model_copy(update={"registry": f"sqlite:///{tmp_path / 'registry.sqlite'}"})
    store = open_store(sql)
    assert isinstance(store.registry, SqlRegistry)
    apply(store, sql.features_dir)
    materialize(store, END)
    again = open_store(sql)
    assert again.get_feature_view("usage").most_recent_end_time == END
    assert online(again, "usage:storage_gb") == 20


def test_a_failed_write_keeps_the_old_registry(store, settings, monkeypatch):
    """The registry file is replaced in one step, so that a write that fails loses nothing."""

    def fail(_descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(registry_module.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        store.apply([batch_source(VIEWS[0], settings.features_dir / "elsewhere")])
    monkeypatch.undo()
    assert len(open_store(settings).list_feature_views()) == len(VIEWS)
    assert [path.name for path in (settings.features_dir.parent).glob(".registry*")] == []


def test_pushed_rows_are_read_at_once(store):
    """A pushed row is what the next read sees, nulls included."""
    time = END + dt.timedelta(hours=9)
    rows = [
        row(view("usage"), "a", time, storage_gb=7.5, login_days_28d=3),
        row(view("usage"), "b", time.isoformat()),
    ]
    assert push(store, "usage_push", rows, now=time) == 2
    assert online(store, "usage:storage_gb") == 7.5
    assert online(store, "usage:login_days_28d") == 3
    assert online(store, "usage:api_calls_28d") is None
    assert (
        push(
            store, "profile_push", [row(view("profile"), "a", time, segment="smb", onboarded=True)], now=time
        )
        == 1
    )
    assert online(store, "profile:segment") == "smb"
    assert online(store, "profile:onboarded") is True


def test_a_pushed_row_without_any_value_takes_the_old_values_away(store):
    """A whole row of nulls is written like any other."""
    push(store, "usage_push", [row(view("usage"), "a", END, storage_gb=7.5)], now=END)
    push(store, "usage_push", [row(view("usage"), "a", END + DAY)], now=END + DAY)
    assert online(store, "usage:storage_gb") is None


def test_an_older_pushed_row_changes_nothing(store):
    """A late row does not replace a newer one, whether it comes alone or in one push with it."""
    newer, older = (
        row(view("usage"), "a", END, storage_gb=2.0),
        row(view("usage"), "a", END - DAY, storage_gb=1.0),
    )
    push(store, "usage_push", [newer, older], now=END)
    assert online(store, "usage:storage_gb") == 2
    push(store, "usage_push", [older], now=END)
    assert online(store, "usage:storage_gb") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"storage_gb": "7.5"}, r"row 2 of the view usage, storage_gb: should be Float64, not str '7.5'"),
        ({"storage_gb": True}, r"storage_gb: should be Float64, not bool"),
        ({"storage_gb": float("inf")}, r"storage_gb: inf is not finite"),
        ({"login_days_28d": 2.5}, r"login_days_28d: should be Int64, not float"),
        ({"login_days_28d": 2**53 + 1}, r"9007199254740993 is beyond 2\*\*53"),
        ({"account_id": ""}, r"account_id should be text that is not empty"),
        ({"account_id": 5}, r"account_id should be text"),
        ({"event_timestamp": "yesterday"}, r"'yesterday' is not an ISO time"),
        ({"event_timestamp": END.replace(tzinfo=None)}, r"a time with a time zone"),
        ({"event_timestamp": END + DAY}, r"lies after now"),
        ({"nonsense": 1}, r"has nonsense, which the view does not have"),
    ],
)
def test_a_wrong_row_stops_the_whole_push(store, settings, change, message):
    """The error says which row and column is wrong, and no row of the push is written."""
    good = row(view("usage"), "a", END, storage_gb=1.0)
    with pytest.raises(ContractError, match=message):
        push(store, "usage_push", [good, good | change], now=END)
    with redis.Redis.from_url(settings.redis_url) as client:
        assert client.dbsize() == 0


def test_a_row_that_is_not_whole_is_refused(store):
    """A missing feature is not taken for null."""
    short = row(view("usage"), "a", END)
    del short["storage_gb"]
    with pytest.raises(ContractError, match="row 1 of the view usage lacks storage_gb; push whole rows"):
        push(store, "usage_push", [short], now=END)


def test_an_unknown_push_source_is_refused(store):
    """The error lists the push sources that there are."""
    with pytest.raises(ContractError, match="there are profile_push, usage_push"):
        push(store, "sentiment_push", [], now=END)
