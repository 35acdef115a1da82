"""Which online store a command uses, and whose features it holds: one store holds one data folder's.

All data folders have the same project, and so the same keys. `keepgrow up` leaves a note in the store of whose
features it brought there, so that a second folder does not overwrite them, nor take them for its own.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from feature_repo.errors import OnlineStoreError
from feature_repo.settings import FeatureRepoSettings
from keepgrow.valkey import running_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTE: Final = "keepgrow:filled_by_up:keepgrow"
"""A hash: `data` is the data folder, `made_from` the fingerprint of what its features were made from."""
SECONDS: Final = 5.0


@contextlib.contextmanager
def settings_with_online_store(features: Path | None, registry: str | None) -> Iterator[FeatureRepoSettings]:
    """Yield the settings of a command, its options before the environment.

    Without `REDIS_URL` the embedded server runs on the folder `valkey` beside the registry or the features,
    and is stopped afterwards unless it ran before.
    """
    given: dict[str, object] = {}
    if features is not None:
        given["features_dir"] = features
    if registry is not None:
        given["registry"] = registry
    settings = FeatureRepoSettings(**given)  # type: ignore[arg-type]
    if os.environ.get("REDIS_URL"):
        yield settings
        return
    with running_valkey(settings.features_dir.parent / "valkey") as url:
        yield settings.model_copy(update={"redis_url": url})


@contextlib.contextmanager
def _client(redis_url: str) -> Iterator[Any]:
    """Yield a client of a single server, of the master behind Sentinels, or of a Cluster.

    Raises:
        OnlineStoreError: The store can't be reached, or refuses.
    """
    import redis
    import redis.sentinel

    from serving.features.nodes import SENTINEL_PORT, Nodes

    library: Any = redis  # these parts of it bring no types
    client: Any = None
    sentinel: Any = None
    scheme = urlsplit(redis_url).scheme
    limits: Any = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
    try:
        if scheme in {"redis+sentinel", "redis+cluster"}:
            nodes = Nodes.parse(redis_url, SENTINEL_PORT if scheme == "redis+sentinel" else 6379)
            login: Any = {"username": nodes.user or None, "password": nodes.password or None, **limits}
            if scheme == "redis+cluster":
                startup = [library.cluster.ClusterNode(host, port) for host, port in nodes.hosts]
                client = library.RedisCluster(startup_nodes=startup, **login)
            else:
                sentinel = library.sentinel.Sentinel(nodes.hosts, **limits)
                name, database = [*nodes.path, *("mymaster", "0")[len(nodes.path) :]]
                client = sentinel.master_for(name, db=int(database), **login)
        else:
            client = library.Redis.from_url(redis_url, **limits)
        yield client
    except (redis.RedisError, ValueError) as error:
        server = redis_url.rpartition("@")[2].rpartition("//")[2]
        raise OnlineStoreError(f"the online store at {server} can't be used: {error}") from error
    finally:
        for one in (client, *(sentinel.sentinels if sentinel is not None else ())):
            if one is not None:
                one.close()


def claim_store(redis_url: str, data: Path, *, shared: bool) -> str | None:
    """Claim the store for the features of the folder *data*.

    Args:
        redis_url: The store.
        data: The folder.
        shared: Whether other folders may use the store; the embedded one is a workspace's own, and moves with it.

    Returns:
        The fingerprint that `note_filled` left there, or None if they are not there (any more).

    Raises:
        OnlineStoreError: The store holds those of another folder, can't be reached, or refuses.
    """
    ours = str(data.resolve()) if shared else "its workspace's folder"
    with _client(redis_url) as client:
        client.hsetnx(NOTE, "data", ours)
        noted = {key.decode(): value.decode() for key, value in client.hgetall(NOTE).items()}
    if noted["data"] != ours:
        server = redis_url.rpartition("@")[2].rpartition("//")[2]
        raise OnlineStoreError(
            f"the online store at {server} holds the features of {noted['data']}, and those of {ours} would mix "
            "with them. Name another database in REDIS_URL (such as redis://host:6379/1), unset REDIS_URL for "
            "the embedded server, or empty this database if the other folder is done with (FLUSHDB)"
        )
    return noted.get("made_from")


def note_filled(redis_url: str, made_from: str) -> None:
    """Note in the store that it holds all features of whoever claimed it.

    Args:
        redis_url: The store.
        made_from: Fingerprint of what they were made from.

    Raises:
        OnlineStoreError: It can't be reached, or refuses.
    """
    with _client(redis_url) as client:
        client.hset(NOTE, "made_from", made_from)
