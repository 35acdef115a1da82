"""Feast's Redis online store, found by `REDIS_URL`, in Feast's own format.

It differs from Feast's class in four things. Its address is a URL. A row whose time equals the stored one
replaces it, so that rebuilt features of the same day arrive, while an older row still never replaces a newer
one. It writes each row a second time, packed into one field beside Feast's own, which serving reads. And it
remembers, in the store itself, up to when each view was brought to it, so that an emptied server is noticed.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _mmh3 as field_hash
from feast.infra.online_stores.helpers import _redis_key_prefix as key_prefix
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.utils import make_tzaware
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]
from pydantic import model_validator
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from feature_repo.contract import row_field
from feature_repo.contract_compiler import row_layout
from feature_repo.errors import OnlineStoreError
from feature_repo.packed import pack_row
from feature_repo.settings import FeatureRepoSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from feast import FeatureView, RepoConfig

    from feature_repo.contract import RowLayout
    from feature_repo.packed import PackedValue

StoreType = Literal["feature_repo.online.KeepgrowRedisOnlineStore"]
STORE_TYPE: Final[StoreType] = "feature_repo.online.KeepgrowRedisOnlineStore"
NANOS: Final = 1_000_000_000
CONNECT_TIMEOUT_SECONDS: Final = 5
COMMAND_TIMEOUT_SECONDS: Final = 30
UNPACKED: Final = b""
"""Stands in the packed field for a row that has to be read field by field."""
KINDS: Final = {"Float64": "double_val", "Int64": "int64_val", "String": "string_val", "Bool": "bool_val"}
DEFAULT_PORTS: Final = {"redis+sentinel": 26379}
REDIS_TYPES: Final = {
    "redis": "redis",
    "rediss": "redis",
    "redis+sentinel": "redis_sentinel",
    "redis+cluster": "redis_cluster",
}


def feast_connection(redis_url: str) -> dict[str, str]:
    """Return Feast's settings for *redis_url*: `connection_string`, `redis_type`, and Sentinel's master.

    Args:
        redis_url: `redis://[user:password@]host:port/db`, `rediss://...` (TLS),
            `redis+sentinel://[user:password@]host:port,host:port/master/db` or
            `redis+cluster://host:port,host:port`.

    Raises:
        OnlineStoreError: The URL has another scheme, no host, or a user or password with a comma in it, which
            Feast's settings can't express.
    """
    parts = urlsplit(redis_url)
    if parts.scheme not in REDIS_TYPES:
        raise OnlineStoreError(f"REDIS_URL begins with {parts.scheme!r}; it may be {', '.join(REDIS_TYPES)}")
    credentials, _, hosts = parts.netloc.rpartition("@")
    nodes = [
        node if ":" in node else f"{node}:{DEFAULT_PORTS.get(parts.scheme, 6379)}"
        for node in hosts.split(",")
    ]
    if not hosts or any(node.startswith(":") or node.count(":") > 1 for node in nodes):
        raise OnlineStoreError(f"REDIS_URL names no host, or one that is not host:port: {hosts!r}")
    path = [part for part in parts.path.split("/") if part]
    settings = {"redis_type": REDIS_TYPES[parts.scheme]}
    if parts.scheme == "redis+sentinel":
        settings["sentinel_master"] = path.pop(0) if path else "mymaster"
    parameters: dict[str, object] = {
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": COMMAND_TIMEOUT_SECONDS,
    }
    if parts.scheme != "redis+cluster":
        try:
            parameters["db"] = int(path[0]) if path else 0
        except ValueError:
            raise OnlineStoreError(f"REDIS_URL's database should be a number, not {path[0]!r}") from None
    user, _, password = credentials.partition(":")
    for name, value in (("username", unquote(user)), ("password", unquote(password))):
        if "," in value:
            raise OnlineStoreError(
                f"REDIS_URL's {name} holds a comma, which Feast's Redis settings can't express"
            )
        if value:
            parameters[name] = value
    if parts.scheme == "rediss" or dict(parse_qsl(parts.query)).get("ssl") == "true":
        parameters["ssl"] = True
    assignments = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in parameters.items()]
    return settings | {"connection_string": ",".join([*nodes, *assignments])}


class KeepgrowRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc] # Feast brings no types
    """Feast's settings of a Redis store, made from a URL."""

    type: StoreType = STORE_TYPE
    """Which store this is."""

    redis_url: str = ""
    """Address of the server; if unset, `REDIS_URL` or its default."""

    @model_validator(mode="before")
    @classmethod
    def _connect_by_url(cls, values: dict[str, Any]) -> dict[str, Any]:
        url = values.get("redis_url") or FeatureRepoSettings().redis_url
        return values | {"redis_url": url} | feast_connection(url)


class KeepgrowRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc] # Feast brings no types
    """Feast's Redis store with its own rule for rows of equal time."""

    def _get_client(self, online_store_config: RedisOnlineStoreConfig) -> Any:  # noqa: ANN401 - one of several clients
        fresh = self._client is None
        client = super()._get_client(online_store_config)
        if fresh:
            client.set_retry(Retry(ExponentialBackoff(cap=0.5, base=0.1), 3))
        return client

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[tuple[Any, dict[str, Any], dt.datetime, dt.datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows of one view, except those older than what is stored.

        Args:
            config: Feast's configuration.
            table: The view.
            data: Entity key, values by feature, event time and creation time of each row; of several rows of
                one account the newest wins, and of equally new ones the last.
            progress: Called with the number of rows that were dealt with.
        """
        client = self._get_client(config.online_store)
        time_field = f"_ts:{table.name}"
        layout = row_layout(table)
        fields = {feature.name: field_hash(f"{table.name}:{feature.name}") for feature in table.features}
        newest: dict[bytes, tuple[int, Timestamp, dict[str, Any]]] = {}
        for entity_key, values, time, _ in data:
            key = (
                serialize_entity_key(entity_key, config.entity_key_serialization_version)
                + config.project.encode()
            )
            stamp = Timestamp()
            stamp.FromDatetime(make_tzaware(time))
            nanos = stamp.seconds * NANOS + stamp.nanos
            if key not in newest or nanos >= newest[key][0]:
                newest[key] = (nanos, stamp, values)
        with client.pipeline(transaction=False) as pipe:
            for key in newest:
                pipe.hget(key, time_field)
            stored = pipe.execute()
            for (key, (nanos, stamp, values)), before in zip(newest.items(), stored, strict=True):
                if before is not None and nanos < _nanos(before):
                    continue
                row = {fields[name]: value.SerializeToString() for name, value in values.items()}
                if layout is not None:
                    row[layout.field] = _packed(layout, stamp, values)
                pipe.hset(key, mapping={time_field: stamp.SerializeToString(), **row})
                if config.online_store.key_ttl_seconds:
                    pipe.expire(key, config.online_store.key_ttl_seconds)
            pipe.execute()
        if progress:
            progress(len(data))

    def delete_table(self, config: RepoConfig, table: FeatureView) -> None:
        """Delete all rows of one view, packed ones too.

        Args:
            config: Feast's configuration.
            table: The view.
        """
        super().delete_table(config, table)
        client = self._get_client(config.online_store)
        pattern = key_prefix(table.join_keys) + b"*" + config.project.encode()
        with client.pipeline(transaction=False) as pipe:
            for key in client.scan_iter(pattern):
                pipe.hdel(key, row_field(table.name))
            pipe.execute()

    def materialized_until(self, config: RepoConfig) -> dict[str, dt.datetime]:
        """Return, for each view that was ever brought to this server, up to when."""
        noted = self._get_client(config.online_store).hgetall(_marker(config.project))
        return {view.decode(): dt.datetime.fromisoformat(time.decode()) for view, time in noted.items()}

    def note_materialized(self, config: RepoConfig, view: str, until: dt.datetime) -> None:
        """Remember on the server that *view* was brought to it up to *until*."""
        self._get_client(config.online_store).hset(_marker(config.project), view, until.isoformat())


def _packed(layout: RowLayout, stamp: Timestamp, values: Mapping[str, Any]) -> bytes:
    """Return the packed row, or what says that there is none: of part of the features, or of other types."""
    plain: dict[str, PackedValue] = {}
    for name, dtype in layout.features:
        value = values.get(name)
        kind = None if value is None else value.WhichOneof("val")
        if value is None or kind not in {None, KINDS[dtype]}:
            return UNPACKED
        plain[name] = None if kind is None else getattr(value, kind)
    return pack_row(layout, stamp.seconds, stamp.nanos, plain)


def _marker(project: str) -> str:
    return f"keepgrow:materialized:{project}"


def _nanos(stamp: bytes) -> int:
    parsed = Timestamp()
    parsed.ParseFromString(stamp)
    return int(parsed.seconds * NANOS + parsed.nanos)
