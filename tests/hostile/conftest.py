"""Fixtures of the hostile tests: the app in process, and the service as it ships, with its log kept."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.serving.conftest import world  # noqa: F401 -- the same world as the serving tests'
from tests.serving.test_service import SERVE, environment, free_port, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving.conftest import World

MARK = "xyzzy-7f3a"
"""Stands in every hostile body and account id; it may never come up in a log."""
PLACES = 16
CLOSED_SECONDS = 20.0


@dataclass(frozen=True)
class Service:
    """The service under `bentoml serve`, one worker.

    Attributes:
        url: Where it listens.
        log: What it and its server write.
    """

    url: str
    log: Path

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a raw connection."""
        parts = urlsplit(self.url)
        return await asyncio.open_connection(parts.hostname, parts.port)


@pytest.fixture(scope="module")
def service(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:  # noqa: F811
    """Return the service, with few places for requests and every request logged."""
    log = tmp_path_factory.mktemp("log") / "service.log"
    env = {
        **environment(world),
        "KEEPGROW_WORKERS": "1",
        "KEEPGROW_MAX_IN_FLIGHT": str(PLACES),
        "KEEPGROW_ACCESS_LOG_RATIO": "1",
        "KEEPGROW_BODY_TIMEOUT_SECONDS": "1",
        "SERVICE_LOG": str(log),
    }
    with served(["sh", "-c", 'exec "$@" >"$SERVICE_LOG" 2>&1', "sh", *SERVE], env, free_port()) as url:
        yield Service(url, log)


async def until_closed(reader: asyncio.StreamReader, seconds: float = CLOSED_SECONDS) -> bytes:
    """Return what comes until the other side closes the connection; fail if it does not in time."""
    got = b""
    async with asyncio.timeout(seconds):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                got += data
    return got
