"""Feast views out of view specifications; every module beside this one is one view."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from feast import FeatureView, Field
from feast.types import Bool, Float64, Int64, PrimitiveFeastType, String

from feature_repo.entities import account as account_entity
from feature_repo.errors import ContractError
from feature_repo.pipeline.views import ALL_VIEWS, OPT_IN_VIEWS, VIEWS
from feature_repo.settings import FeatureRepoSettings
from feature_repo.sources import source

if TYPE_CHECKING:
    from pathlib import Path

    from feature_repo.pipeline.spec import Dtype, ViewSpec

FEAST_TYPES: dict[Dtype, PrimitiveFeastType] = {
    "Float64": Float64,
    "Int64": Int64,
    "String": String,
    "Bool": Bool,
}


def view_spec(name: str) -> ViewSpec:
    """Return the specification of the view called *name*.

    Raises:
        ContractError: There is none.
    """
    for spec in ALL_VIEWS:
        if spec.name == name:
            return spec
    raise ContractError(
        f"there is no feature view {name!r}; there are {', '.join(spec.name for spec in ALL_VIEWS)}"
    )


def registered_views(features_dir: Path | None = None) -> tuple[ViewSpec, ...]:
    """Return the views that Feast is told of: those that every bundle reads, and opt-in views that have files.

    Args:
        features_dir: Folder of the daily feature tables; by default that of the settings.
    """
    folder = features_dir if features_dir is not None else FeatureRepoSettings().features_dir
    return (*VIEWS, *(spec for spec in OPT_IN_VIEWS if any((folder / spec.name).glob("*.parquet"))))


def opt_in_view(name: str) -> FeatureView | None:
    """Return the Feast view called *name* if it has files in the settings' folder, else None.

    Raises:
        ContractError: There is no such view.
    """
    spec = view_spec(name)
    return feature_view(spec) if spec in registered_views() else None


def feature_view(spec: ViewSpec, features_dir: Path | None = None) -> FeatureView:
    """Return the Feast view of *spec*.

    The ttl is the view's freshness limit. What training, explanations and policy need to know of a feature
    travels in its tags, so that the registry alone tells it all.

    Args:
        spec: The view and its features.
        features_dir: Folder of the daily feature tables; by default that of the settings.
    """
    folder = features_dir if features_dir is not None else FeatureRepoSettings().features_dir
    return FeatureView(
        name=spec.name,
        entities=[account_entity],
        ttl=dt.timedelta(days=spec.freshness_days),
        schema=[
            Field(name=account_entity.join_key, dtype=String, description="The account."),
            *(
                Field(
                    name=feature.name,
                    dtype=FEAST_TYPES[feature.dtype],
                    description=feature.description,
                    tags={"signal": feature.signal, "role": feature.role, "text": feature.text},
                )
                for feature in spec.features
            ),
        ],
        source=source(spec, folder),
        description=spec.description,
        owner=spec.owner,
        tags={"freshness_days": str(spec.freshness_days), "tables": ",".join(spec.tables)},
    )
