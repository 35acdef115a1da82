"""Fixtures of the brief's tests: an app on a ledger of its own, with actions that are for every account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.decisions.catalogue import load_catalogue
from tests.serving.api.conftest import started
from tests.serving.catalogues import whatever_happens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving.app import KeepgrowApp
    from tests.serving.conftest import World


@pytest.fixture
async def app(further_world: World, tmp_path: Path) -> AsyncIterator[KeepgrowApp]:
    """Return the app on a ledger of its own, with actions that are for every account."""
    ledger_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with started(further_world, ledger_url=ledger_url, ledger_timeout_seconds=20) as app:
        assert app.state is not None
        app.state.catalogue = whatever_happens(load_catalogue())
        yield app
