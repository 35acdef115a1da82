"""Redis behind Sentinel or as a Cluster, through redis-py, which follows fail-overs and moved slots."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import hiredis
from redis import asyncio as redis_asyncio
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from serving.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

SENTINEL_PORT: Final = 26379
REDIS_PORT: Final = 6379
CONNECTIONS: Final = 32
SOCKET_TIMEOUT_SECONDS: Final = 5.0  # a backstop: every call has its own deadline
Client = redis_asyncio.Redis | RedisCluster


def make_client(url: str) -> Client:
    """Return the redis-py client that *url* describes; it connects when it is first used.

    Args:
        url: `redis://`, `rediss://`, `unix://`,
            `redis+sentinel://[user:password@]host:port,host:port/master/db` or `redis+cluster://[user:password@]host:port,host:port`.
    """
    parts = urlsplit(url)
    retry = Retry(NoBackoff(), 1)
    if not parts.scheme.startswith("redis+"):
        pool = redis_asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=SOCKET_TIMEOUT_SECONDS,
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
            retry=retry,
        )
        return redis_asyncio.Redis.from_pool(pool)
    sentinel = parts.scheme == "redis+sentinel"
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    nodes = []
    for node in hosts.split(","):
        host, _, port = node.partition(":")
        nodes.append((host, int(port) if port else SENTINEL_PORT if sentinel else REDIS_PORT))
    if not sentinel:
        return RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in nodes],
            max_connections=CONNECTIONS,
            username=user or None,
            password=password or None,
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
            retry=retry,
        )
    master, _, database = parts.path.strip("/").partition("/")
    guards = Sentinel(  # type: ignore[no-untyped-call] # redis-py leaves it untyped
        nodes, socket_timeout=SOCKET_TIMEOUT_SECONDS, socket_connect_timeout=SOCKET_TIMEOUT_SECONDS
    )
    client: redis_asyncio.Redis = guards.master_for(
        master or "mymaster",
        db=int(database or 0),
        username=user or None,
        password=password or None,
        max_connections=CONNECTIONS,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=retry,
    )
    return client


class PooledClient:
    """A store link over a redis-py client."""

    def __init__(self, url: str, fields: Sequence[bytes]) -> None:
        """Describe the link; it connects when it is first used.

        Args:
            url: See `make_client`.
            fields: Hash fields that every read asks for.
        """
        self._client: Any = make_client(url)  # redis-py types awaitables as unions, and keys as text only
        self._name = urlsplit(url).netloc.rpartition("@")[2]
        self._fields = list(fields)

    async def read(self, keys: Sequence[bytes], deadline_seconds: float) -> list[object]:
        """Return the values of the fields of each hash: a list, or a `hiredis.ReplyError`.

        Raises:
            StoreUnavailable: The server did not answer in time.
        """
        try:
            async with asyncio.timeout(deadline_seconds):
                if len(keys) == 1:
                    return [await self._client.hmget(keys[0], self._fields)]
                async with self._client.pipeline(transaction=False) as pipe:
                    for key in keys:
                        pipe.hmget(key, self._fields)
                    return list(await pipe.execute(raise_on_error=False))
        except ResponseError as error:
            return [hiredis.ReplyError(str(error))]
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"the online store at {self._name} did not answer: {error}") from error

    async def call(self, words: Sequence[bytes], deadline_seconds: float) -> object:
        """Return the reply to any one command.

        Raises:
            StoreUnavailable: The server did not answer in time.
        """
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._client.execute_command(words[0].decode(), *words[1:])
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"the online store at {self._name} did not answer: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
