"""Fixtures for every test: a real online store, and the data sets that are not part of this repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keepgrow.valkey import running_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Valkey server of this test session's own, on a free port."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the shared data sets, or skip."""
    folder = Path(os.environ.get("KEEPGROW_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; KEEPGROW_SHARED_DATA names the folder of the shared data sets")
    return folder
