"""Fixtures of the ladder's tests: an empty ledger of each test's own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from serving.ledger.database import Database
from serving.ledger.schema import migrate
from tests.serving.autonomy.weeks import World, policy_of
from tests.serving.ledger.conftest import ledger_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["empty_ledger", "ledger_url", "world"]


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a ledger with its tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("ladder") / "ledger.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.checkpoint(truncate=True)
    database.close()
    return path


@pytest.fixture
def world(empty_ledger: Path, tmp_path: Path) -> Iterator[World]:
    """Return a world whose policy starts every action in shadow."""
    path = tmp_path / "ledger.db"
    shutil.copy(empty_ledger, path)
    database = Database(f"sqlite:///{path}", sync="normal")
    yield World(database, policy_of(start="shadow"))
    database.close()
