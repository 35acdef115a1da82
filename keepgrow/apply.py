"""`keepgrow apply`: register entity, sources, views and feature service with Feast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from feature_repo.settings import FeatureRepoSettings

FeaturesOption = Annotated[
    Path | None,
    typer.Option("--features", help="Folder of the daily features.  [env: KEEPGROW_FEATURES_DIR]"),
]
RegistryOption = Annotated[
    str | None, typer.Option("--registry", help="Registry file or database URL.  [env: KEEPGROW_REGISTRY]")
]


def apply(features: FeaturesOption = None, registry: RegistryOption = None) -> None:
    """Register the feature definitions with Feast; nothing is written to the online store."""
    from feature_repo import store as feast_store

    given = {"features_dir": features, "registry": registry}
    settings = FeatureRepoSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    store = feast_store.open_store(settings)
    feast_store.apply(store, settings.features_dir)
    views = store.list_feature_views()
    count = sum(len(view.features) for view in views)
    Console(highlight=False).print(f"{count} features in {len(views)} views are registered with Feast")
