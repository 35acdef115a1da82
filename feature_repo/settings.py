"""The settings of this package: where features lie, where Feast's registry is and which Redis serves."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"


def default_home() -> Path:
    """Return the folder `.keepgrow` of the project.

    It lies in the current folder, or beside it if the current folder is a Feast repository, so that `feast`
    run inside `feature_repo/` and `keepgrow` run beside it mean the same folder.
    """
    here = Path.cwd()
    return (here.parent if (here / "feature_store.yaml").is_file() else here) / ".keepgrow"


class FeatureRepoSettings(BaseSettings):
    """Settings by environment variable; an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix="KEEPGROW_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    features_dir: Path = Field(default_factory=lambda: default_home() / "features")
    """Folder of the daily feature tables, one folder a view (`KEEPGROW_FEATURES_DIR`)."""

    registry: str = Field(default_factory=lambda: str(default_home() / "registry.db"))
    """Feast's registry: a file or a database URL such as `postgresql+psycopg://...` (`KEEPGROW_REGISTRY`)."""

    redis_url: str = Field(default=DEFAULT_REDIS_URL, validation_alias="REDIS_URL")
    """The online store: `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://` (`REDIS_URL`)."""
