"""Which online store a command uses: the one that `REDIS_URL` names, else the embedded one."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from feature_repo.settings import FeatureRepoSettings
from keepgrow.valkey import running_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def settings_with_online_store(features: Path | None, registry: str | None) -> Iterator[FeatureRepoSettings]:
    """Yield the settings of a command, its options before the environment.

    Without `REDIS_URL` the embedded server runs on the folder `valkey` beside the registry or the features,
    and is stopped afterwards unless it ran before.
    """
    given: dict[str, object] = {}
    if features is not None:
        given["features_dir"] = features
    if registry is not None:
        given["registry"] = registry
    settings = FeatureRepoSettings(**given)  # type: ignore[arg-type]
    if os.environ.get("REDIS_URL"):
        yield settings
        return
    with running_valkey(settings.features_dir.parent / "valkey") as url:
        yield settings.model_copy(update={"redis_url": url})
