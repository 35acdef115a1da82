"""Fixtures of the serving tests: one trained bundle and one filled store a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import redis

from serving.bundle.loader import Bundle, load_bundle
from serving.bundle.store import find_bundle
from serving.settings import ServingSettings
from tests.serving.world import NOW, make_bundle, make_contract, make_features, write_online

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from feature_repo.contract import FeatureContract

DATABASE = 7


@dataclass(frozen=True)
class World:
    """A bundle in a model store, and the accounts that the online store holds."""

    home: Path
    tag: str
    contract: FeatureContract
    features: pa.RecordBatch
    redis_url: str

    @property
    def bundle(self) -> Bundle:
        """The loaded bundle."""
        return load_bundle(find_bundle(self.tag, self.home / "models"))

    def settings(self, **changes: object) -> ServingSettings:
        """Return settings of a service on this world, whose clock starts 13 hours after the end of data."""
        return ServingSettings.model_validate(
            {
                "redis_url": self.redis_url,
                "ledger_url": f"sqlite:///{self.home / 'ledger.db'}",
                "model": self.tag,
                "clock_start": NOW,
                "access_log_ratio": 0,
                # A stalled test machine is not a slow store; the tests of slowness set their own limit.
                "redis_timeout_seconds": 5.0,
                **changes,
            }
        )


@pytest.fixture(scope="session")
def world(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a world whose online store is a database of its own."""
    home = tmp_path_factory.mktemp("bentoml")
    contract = make_contract()
    tag = make_bundle(home / "models", contract)
    features = make_features(contract)
    url = valkey_url.removesuffix("/0") + f"/{DATABASE}"
    write_online(url, contract, features)
    yield World(home=home, tag=tag, contract=contract, features=features, redis_url=url)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
