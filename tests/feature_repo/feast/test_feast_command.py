"""The feature repository under Feast's own command, as a Feast user runs it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from feast import FeatureStore

import feature_repo
from feature_repo.errors import ContractError
from feature_repo.pipeline.views import VIEWS
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import open_store
from tests.feature_repo.feast.random_features import write_features

FEAST = [sys.executable, "-W", "ignore", "-m", "feast.cli.cli"]
ROOT = Path(feature_repo.__file__).resolve().parent.parent


@pytest.fixture
def repository(tmp_path):
    """Return a copy of the feature repository in a project folder of its own."""
    copy = tmp_path / "project" / "feature_repo"
    shutil.copytree(ROOT / "feature_repo", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def feast(repository, *words, **env):
    """Run `feast WORDS` inside *repository*, insist on success and return what it printed."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("KEEPGROW_", "REDIS_"))
    }
    done = subprocess.run(
        [*FEAST, *words], cwd=repository, env={**clean, "PYTHONPATH": str(ROOT), **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_plan_apply_and_materialize_with_the_environments_settings(repository, settings):
    """`feast plan`, `apply`, `materialize-incremental` use the registry, features and server that are set."""
    env = {
        "KEEPGROW_FEATURES_DIR": str(settings.features_dir),
        "KEEPGROW_REGISTRY": settings.registry,
        "REDIS_URL": settings.redis_url,
    }
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    write_features(settings.features_dir, ["a", "b", "c"], end=today)
    planned = feast(repository, "plan", **env)
    assert all(f"Created feature view {spec.name}" in planned for spec in VIEWS)
    feast(repository, "apply", **env)
    feast(repository, "materialize-incremental", today.replace(tzinfo=None).isoformat(), **env)
    store = open_store(settings)
    assert {view.most_recent_end_time for view in store.list_feature_views()} == {today}
    assert not (repository.parent / ".keepgrow").exists()
    with redis.Redis.from_url(settings.redis_url) as client:
        assert client.dbsize() == 3


def test_apply_without_any_setting_keeps_the_registry_beside_the_repository(repository):
    """Without settings the registry is `../.keepgrow/registry.db`; features and a server are not needed."""
    feast(repository, "apply")
    registry = repository.parent / ".keepgrow" / "registry.db"
    store = open_store(FeatureRepoSettings(registry=str(registry)))
    assert store.get_data_source("usage_daily").path == str(
        repository.parent / ".keepgrow" / "features" / "usage" / "*.parquet"
    )


def test_a_database_registry_has_a_configuration_of_its_own(repository, tmp_path):
    """The SQL configuration applies to the database that is set."""
    url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    feast(repository, "--feature-store-yaml", "feature_store.sql.yaml", "apply", KEEPGROW_REGISTRY=url)
    assert len(open_store(FeatureRepoSettings(registry=url)).list_feature_views()) == len(VIEWS)


def test_a_database_registry_is_not_taken_for_a_file(repository, tmp_path, monkeypatch):
    """The file configuration refuses a database URL and names the configuration that takes it."""
    monkeypatch.setenv("KEEPGROW_REGISTRY", f"sqlite:///{tmp_path / 'registry.sqlite'}")
    monkeypatch.chdir(repository)
    with pytest.raises(ContractError, match=r"feature_store\.sql\.yaml"):
        FeatureStore(repo_path=str(repository)).list_feature_views()
