"""Fixtures of the HTTP tests: the real app on a real bundle and a real store, spoken to in process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.serving.conftest import World

BASE = "http://keepgrow.test"


@pytest.fixture
async def app(world: World) -> AsyncIterator[KeepgrowApp]:
    """Return the app, started as a server would start it."""
    app = KeepgrowApp(world.settings())
    await app.start(find_bundle(world.tag, world.home / "models"))
    yield app
    await app.stop()


@pytest.fixture
async def client(app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the app."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client
