"""Fixtures of the fault tests: a store of their own, a faulty way to it, and the service behind that way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from keepgrow.valkey import running_valkey
from tests.faults.proxy import Proxy, running_proxy
from tests.serving.conftest import world  # noqa: F401 -- the same world as the serving tests'
from tests.serving.test_service import UVICORN, environment, free_port, served
from tests.serving.world import write_online

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving.conftest import World


@dataclass(frozen=True)
class Store:
    """A Valkey server of these tests alone, which they may fill, empty, restrict and restart.

    Attributes:
        url: Its own URL, past the proxy.
        world: What is written to it.
    """

    url: str
    world: World

    def fill(self) -> None:
        """Write every account."""
        write_online(self.url, self.world.contract, self.world.features)


@pytest.fixture(scope="module")
def store(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:  # noqa: F811 -- the fixture
    """Return a filled store."""
    with running_valkey(tmp_path_factory.mktemp("faults")) as url:
        store = Store(url, world)
        store.fill()
        yield store


@pytest.fixture(scope="module")
def proxy(store: Store) -> Iterator[Proxy]:
    """Return the way to the store that faults are put on."""
    with running_proxy(urlsplit(store.url).port or 0) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def service(store: Store, proxy: Proxy) -> Iterator[str]:
    """Return the URL of the service, one process under uvicorn, that reaches the store through the proxy."""
    command = UVICORN
    env = {**environment(store.world), "REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0"}
    with served(command, env, free_port()) as url:
        yield url
