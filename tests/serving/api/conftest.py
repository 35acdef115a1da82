"""Fixtures of the HTTP tests: the real app on a real bundle and a real store, spoken to in process."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import httpx
import pytest

from serving.app import KeepgrowApp
from serving.bundle.store import find_bundle
from tests.serving.world import make_bundle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.serving.conftest import World

BASE = "http://keepgrow.test"


@contextlib.asynccontextmanager
async def started(world: World, **settings: object) -> AsyncIterator[KeepgrowApp]:
    """Run the app on *world* with *settings* beside its own, started as a server would start it."""
    app = KeepgrowApp(world.settings(**settings))
    await app.start(find_bundle(world.tag, world.home / "models"))
    yield app
    await app.stop()


@contextlib.asynccontextmanager
async def client_of(app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Open an HTTP client of *app*."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


@pytest.fixture
async def app(world: World) -> AsyncIterator[KeepgrowApp]:
    """Return the app, started as a server would start it."""
    async with started(world) as app:
        yield app


@pytest.fixture
async def client(app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the app."""
    async with client_of(app) as client:
        yield client


@pytest.fixture(scope="session")
def further_world(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the same accounts with a bundle that has intervals, support and an outlook."""
    home = tmp_path_factory.mktemp("further_bentoml")
    tag = make_bundle(home / "models", world.contract, outlook=True)
    return dataclasses.replace(world, home=home, tag=tag)


@pytest.fixture
async def further_app(further_world: World) -> AsyncIterator[KeepgrowApp]:
    """Return the app on that world."""
    async with started(further_world) as app:
        yield app


@pytest.fixture
async def further_client(further_app: KeepgrowApp) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of that app."""
    async with client_of(further_app) as client:
        yield client
