"""A store that Feast filled with random accounts, its contract, and readers of every kind on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import redis

from feature_repo.contract_compiler import compile_contract
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import apply, materialize, open_store
from serving.bundle.manifest import Encoding
from tests.feature_repo.feast.random_features import AWKWARD_IDS, END, TEXTS, write_features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feast import FeatureStore

    from feature_repo.contract import FeatureContract

ACCOUNTS = {"valkey_url": 5000, "redis_url": 500}
"""How many are written to either kind of server: Feast spends milliseconds on each."""


@dataclass(frozen=True)
class Contracted:
    """As much of a manifest as a reader needs."""

    contract: FeatureContract
    encodings: tuple[Encoding, ...]


@dataclass(frozen=True)
class FilledStore:
    """A Feast store with accounts in it.

    Attributes:
        feast: The store.
        url: Its server.
        manifest: Contract and encodings; the last of the texts has no code.
        accounts: Who was written; each view lacks some of them.
    """

    feast: FeatureStore
    url: str
    manifest: Contracted
    accounts: tuple[str, ...]


def contracted(store: FeatureStore) -> Contracted:
    """Return the contract of the service with encodings for its string features."""
    contract = compile_contract(store, "keepgrow_v1")
    strings = [feature.name for feature in contract.model_features if feature.dtype == "String"]
    return Contracted(contract, tuple(Encoding(feature=name, categories=TEXTS[:-1]) for name in strings))


@pytest.fixture(scope="module", params=["valkey_url", "redis_url"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Materialize random features of many accounts into a database of their own, on either kind of server."""
    folder: Path = tmp_path_factory.mktemp("filled")
    server: str = request.getfixturevalue(request.param)
    url = server.removesuffix("/0") + "/4"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        settings = FeatureRepoSettings(
            features_dir=folder / "features", registry=str(folder / "registry.db"), redis_url=url
        )
        numbered = (f"account-{number}" for number in range(ACCOUNTS[request.param] - len(AWKWARD_IDS) + 1))
        accounts = (*AWKWARD_IDS[1:], *numbered)
        write_features(settings.features_dir, accounts)
        store = open_store(settings)
        apply(store, settings.features_dir)
        materialize(store, END)
        yield FilledStore(store, url, contracted(store), accounts)
        client.flushdb()
