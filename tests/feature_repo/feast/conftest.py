"""A Feast store of a test's own: an empty database, and a registry and features in a fresh folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import redis
from feast import FeatureStore

from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import apply, open_store

if TYPE_CHECKING:
    from pathlib import Path

OpenStore = Callable[[], FeatureStore]


@pytest.fixture
def settings(valkey_url: str, tmp_path: Path) -> Iterator[FeatureRepoSettings]:
    """Return settings that point at an emptied database and a fresh folder."""
    url = valkey_url.removesuffix("/0") + "/3"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield FeatureRepoSettings(
            features_dir=tmp_path / "features", registry=str(tmp_path / "registry.db"), redis_url=url
        )
        client.flushdb()


@pytest.fixture
def store(settings: FeatureRepoSettings) -> FeatureStore:
    """Return a store with the definitions applied."""
    opened = open_store(settings)
    apply(opened, settings.features_dir)
    return opened
