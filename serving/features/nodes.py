"""URLs that name several servers: `redis+sentinel://` and `redis+cluster://`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from serving.features.wire import DEFAULT_PORT, ServerAddress

if TYPE_CHECKING:
    from collections.abc import Iterable

SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class Nodes:
    """What such a URL says.

    Attributes:
        hosts: Host and port of each server.
        user: User name at the store, or empty.
        password: Password at the store, or empty.
        path: The parts of the path.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: str
    path: tuple[str, ...]

    @classmethod
    def parse(cls, url: str, default_port: int = DEFAULT_PORT) -> Nodes:
        """Return what *url* says.

        Raises:
            ValueError: It names no server, or a port that is no number.
        """
        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        return cls(
            hosts=tuple(_host_and_port(node, default_port) for node in hosts.split(",")),
            user=unquote(user),
            password=unquote(password),
            path=tuple(part for part in parts.path.split("/") if part),
        )

    def address(self, host: str, port: int, database: int = 0) -> ServerAddress:
        """Return the address of a server of the store."""
        return ServerAddress(
            host=host, port=port, socket_path="", user=self.user, password=self.password,
            database=database, tls=False,
        )  # fmt: skip

    def __str__(self) -> str:
        return named(self.hosts)


def named(hosts: Iterable[tuple[str, int]]) -> str:
    """Return hosts and ports as people write them."""
    return ",".join(f"{host}:{port}" for host, port in hosts)


def _host_and_port(node: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{node}")
    if not parts.hostname:
        raise ValueError(f"{node!r} is no host and port")
    return parts.hostname, parts.port or default_port
