"""Feast's file registry at the place that the settings name, and never half-written.

Feast itself truncates the file and then writes it; a process that ends between the two would lose every
definition.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from feast.infra.registry.file import FileRegistryStore

from feature_repo.errors import ContractError
from feature_repo.settings import FeatureRepoSettings

if TYPE_CHECKING:
    from feast.repo_config import RegistryConfig

STORE_TYPE: Final = f"{__name__}.KeepgrowFileRegistryStore"
SQL_CONFIG: Final = "feature_store.sql.yaml"


def is_sql(registry: str) -> bool:
    """Return whether *registry* is a database URL; a path or an object-store URL is not."""
    scheme, separator, _ = registry.partition("://")
    return bool(separator) and scheme not in {"file", "s3", "gs", "hdfs"}


def is_unset(path: str) -> bool:
    """Return whether *path* is empty, or a reference to an environment variable that isn't set."""
    return not path or path.startswith("$")


class KeepgrowFileRegistryStore(FileRegistryStore):  # type: ignore[misc] # Feast brings no types
    """A registry file that is replaced in one step."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path) -> None:
        """Place the registry at the configured path, or where the settings say if that is unset.

        Raises:
            ContractError: The place is a database URL, which a file registry can't use.
        """
        configured = registry_config.path
        place = FeatureRepoSettings().registry if is_unset(configured) else configured
        if is_sql(place):
            raise ContractError(
                f"KEEPGROW_REGISTRY is the database {place.split('://')[0]}://..., but feature_store.yaml "
                f"keeps the registry in a file; run `feast --feature-store-yaml {SQL_CONFIG} COMMAND`"
            )
        super().__init__(registry_config.model_copy(update={"path": place}), repo_path)

    def _write_registry(self, registry_proto: Any) -> None:  # noqa: ANN401 - a protobuf message without types
        registry_proto.version_id = str(uuid.uuid4())
        registry_proto.last_updated.FromDatetime(dt.datetime.now(dt.UTC))
        folder = self._filepath.parent
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{self._filepath.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(registry_proto.SerializeToString())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._filepath)
        finally:
            temporary.unlink(missing_ok=True)


def registry_config(registry: str, cache_ttl_seconds: int = 60) -> dict[str, Any]:
    """Return the `registry` section of a Feast configuration for a file or a database URL."""
    section: dict[str, Any] = {
        "path": registry,
        "cache_ttl_seconds": cache_ttl_seconds,
        "serve_features_while_materializing": True,
    }
    if is_sql(registry):
        return section | {"registry_type": "sql"}
    if "://" in registry:
        return section
    return section | {"registry_store_type": STORE_TYPE, "path": str(Path(registry).resolve())}
