"""The Feast store of this project in code: open it, apply definitions, bring features online, push rows."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import logging
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import feature_repo

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from feast import FeatureStore, FeatureView, RepoConfig
    from feast.errors import FeatureViewNotFoundException
from redis.exceptions import RedisError

from feature_repo import online
from feature_repo.entities import account
from feature_repo.errors import ContractError, OnlineStoreError, PipelineError
from feature_repo.pipeline.views import ALL_VIEWS
from feature_repo.push_rows import pushed_frame
from feature_repo.registry import registry_config
from feature_repo.services import feature_services, opted_into
from feature_repo.sources import PUSHED_VIEWS, push_source_name
from feature_repo.views.making import feature_view, registered_views, view_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from feature_repo.settings import FeatureRepoSettings

PROJECT: Final = "keepgrow"
WRITE_BATCH_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class MaterializedView:
    """One view that was brought online.

    Attributes:
        view: Its name.
        start: Earliest event time that was looked at.
        end: Latest event time that was looked at.
        seconds: How long it took.
    """

    view: str
    start: dt.datetime
    end: dt.datetime
    seconds: float


def open_store(settings: FeatureRepoSettings) -> FeatureStore:
    """Return the Feast store that *settings* describe; nothing is read or connected to but the registry.

    Raises:
        OnlineStoreError: `redis_url` can't be used.
    """
    logging.getLogger("feast.repo_config").setLevel(logging.ERROR)  # it warns of settings that are meant
    online.feast_connection(settings.redis_url)
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry=registry_config(settings.registry),
        offline_store={"type": "duckdb"},
        online_store={
            "type": online.STORE_TYPE,
            "redis_url": settings.redis_url,
            "full_scan_for_deletion": False,
        },
        materialization={"pull_latest_features": True, "online_write_batch_size": WRITE_BATCH_ROWS},
        entity_key_serialization_version=3,
    )
    config.repo_path = Path(feature_repo.__file__).parent
    return FeatureStore(config=config)


def apply(store: FeatureStore, features_dir: Path) -> None:
    """Register entity, sources, views and feature services, and forget views that are no longer defined.

    An opt-in view is registered once it has files, with a feature service for each choice of such views; without files
    it is forgotten, and so are these services. Services of others are left alone.

    Args:
        store: The store.
        features_dir: Folder of the daily feature tables that the views shall read.
    """
    views = [feature_view(spec, features_dir) for spec in registered_views(features_dir)]
    services = feature_services(views)
    names = {one.name for one in (*views, *services)}
    with _quiet():
        ours = [one for one in store.list_feature_services() if opted_into(one.name)]
        gone = [one for one in (*store.list_feature_views(), *ours) if one.name not in names]
        store.apply([account, *views, *services], objects_to_delete=gone, partial=not gone)


def materialize(
    store: FeatureStore, end: dt.datetime, progress: Callable[[MaterializedView], None] = lambda _: None
) -> list[MaterializedView]:
    """Bring each account's newest row up to *end* to the online store, view by view; reads go on meanwhile.

    A view's window begins where its last one ended, and never further back than its ttl, past which rows are
    stale anyway. It is the whole ttl the first time, and on a server that has not seen what the registry says
    was written.

    Args:
        store: The store, with its definitions applied.
        end: Latest event time to bring online, with a time zone.
        progress: Called after each view.

    Returns:
        What was done, in the order of the views.

    Raises:
        ContractError: No views were applied.
        OnlineStoreError: The server can't be reached, or refuses.
        PipelineError: A view has no feature files.
        ValueError: *end* has no time zone.
    """
    if end.tzinfo is None:
        raise ValueError("end has no time zone; write it as 2026-03-01T00:00:00+00:00")
    end = end.astimezone(dt.UTC)
    by_name = {view.name: view for view in store.list_feature_views()}
    views = [by_name[spec.name] for spec in ALL_VIEWS if spec.name in by_name]
    if not views:
        raise ContractError(
            f"the registry {store.config.registry.path} holds no feature views; apply comes first"
        )
    for view in views:
        _require_files(view)
    with _naming_the_server(store):
        server = _online_store(store)
        seen = server.materialized_until(store.config)
        done = []
        for view in views:
            begun = time.monotonic()
            start = _window_start(view, seen.get(view.name), end)
            with _quiet():
                store.materialize(start, end, feature_views=[view.name])
            server.note_materialized(store.config, view.name, end)
            done.append(MaterializedView(view.name, start, end, time.monotonic() - begun))
            progress(done[-1])
    return done


def push(store: FeatureStore, source: str, rows: Sequence[Mapping[str, object]], now: dt.datetime) -> int:
    """Write fresh rows of a push source's view to the online store, where they are read at once.

    A row holds the whole view, since a view has one event time. A row older than the stored one changes
    nothing; the next materialization replaces it once its event time is not before the row's.

    Args:
        store: The store, with its definitions applied.
        source: Name of the push source, such as `usage_push`.
        rows: `account_id`, `event_timestamp` (a time, or ISO text, with a time zone) and every feature of the
            view, None where there is no value.
        now: The time; event times may not lie after it.

    Returns:
        The number of rows that were handed over.

    Raises:
        ContractError: There is no such push source, or a row is not as the view says; nothing is written
            then.
        OnlineStoreError: The server can't be reached, or refuses.
    """
    by_source = {push_source_name(name): name for name in PUSHED_VIEWS}
    if source not in by_source:
        registered = {view.name for view in store.list_feature_views()}
        there = sorted(one for one, view in by_source.items() if view in registered)
        raise ContractError(f"there is no push source {source!r}; there are {', '.join(there)}")
    spec = view_spec(by_source[source])
    frame = pushed_frame(spec, rows, now)
    if len(frame):
        with _naming_the_server(store), _quiet():
            view = _registered(store, spec.name)
            store._get_provider().ingest_df(view, frame)  # noqa: SLF001 - `push` skips rows whose features are all null
    return len(frame)


def _registered(store: FeatureStore, name: str) -> FeatureView:
    try:
        return store.get_feature_view(name, allow_registry_cache=True)
    except FeatureViewNotFoundException:
        raise ContractError(
            f"the registry {store.config.registry.path} does not hold the view {name}; build its features, then apply"
        ) from None


def _window_start(view: FeatureView, seen: dt.datetime | None, end: dt.datetime) -> dt.datetime:
    oldest: dt.datetime = end - view.ttl
    last: dt.datetime | None = view.most_recent_end_time
    if last is None or seen is None or seen != last or last > end:
        return oldest
    return max(oldest, last)


def _require_files(view: FeatureView) -> None:
    pattern = Path(view.batch_source.path)
    if not any(pattern.parent.glob(pattern.name)):
        raise PipelineError(
            f"{pattern.parent}: no feature files of the view {view.name}; build the features first"
        )


def _online_store(store: FeatureStore) -> online.KeepgrowRedisOnlineStore:
    server = store._get_provider().online_store  # noqa: SLF001 - Feast has no public way to its online store
    if not isinstance(server, online.KeepgrowRedisOnlineStore):
        raise ContractError(f"the online store should be {online.STORE_TYPE}, not {type(server).__name__}")
    return server


@contextlib.contextmanager
def _naming_the_server(store: FeatureStore) -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        nodes = [part for part in store.config.online_store.connection_string.split(",") if "=" not in part]
        raise OnlineStoreError(f"the online store at {', '.join(nodes)} can't be used: {error}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Feast's progress bars and coloured lines away from our own output."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
