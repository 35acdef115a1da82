"""The link to the online store that a URL asks for: one server, a master behind Sentinels, or a Cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from serving.errors import ServingError
from serving.features.cluster import ClusterLink
from serving.features.sentinel import SentinelLink
from serving.features.wire import Fields, ServerAddress, SharedConnections

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

SINGLE: Final = ("redis", "rediss", "unix")
SENTINEL: Final = "redis+sentinel"
CLUSTER: Final = "redis+cluster"


class StoreLink(Protocol):
    """What the reader needs of a store."""

    @property
    def spread(self) -> bool:
        """Whether keys are spread over several servers."""

    def node_of(self, key: bytes) -> Hashable:
        """Return which server has *key*, as far as that is known without asking."""

    async def read(self, keys: Sequence[bytes], fields: Fields, deadline_seconds: float) -> list[object]:
        """Return the values of *fields* for each key, in one round trip."""

    async def ping(self, key: bytes, deadline_seconds: float) -> None:
        """Return if *key* can be read, or of several servers if any is fit to be read."""

    async def call(self, words: Sequence[bytes], deadline_seconds: float, key: bytes | None = None) -> object:
        """Return the reply to any one command; a Cluster asks the node that has *key*, or always the same one."""

    async def close(self) -> None:
        """Close the connections."""


def make_link(url: str) -> StoreLink:
    """Return the link to the store at *url*; it connects when it is first used.

    Raises:
        ServingError: The URL can't be used.
    """
    scheme = urlsplit(url).scheme
    try:
        if scheme in SINGLE:
            return SharedConnections(ServerAddress.parse(url))
        if scheme == SENTINEL:
            return SentinelLink(url)
        if scheme == CLUSTER:
            return ClusterLink(url)
    except ValueError as error:
        raise ServingError(f"REDIS_URL can't be used: {error}") from error
    raise ServingError(
        f"REDIS_URL begins with {scheme!r}; it may be {', '.join((*SINGLE, SENTINEL, CLUSTER))}"
    )
