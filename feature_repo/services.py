"""Feature services: exactly the vector that models are trained on and served with, one a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feast import FeatureService, FeatureView

from feature_repo.pipeline.views import VIEWS
from feature_repo.views.making import feature_view

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICE_NAME: Final = "keepgrow_v1"


def feature_service(views: Sequence[FeatureView]) -> FeatureService:
    """Return the service that names every feature of *views* that is served, in their order."""
    return FeatureService(
        name=SERVICE_NAME,
        features=[view[_served(view)] for view in views],
        description="Every feature that the models read, and what decisions must know of an account.",
        tags={"version": "1"},
        owner="data-science@keepgrow.example",
    )


def _served(view: FeatureView) -> list[str]:
    return [field.name for field in view.features if field.tags.get("role") != "offline"]


keepgrow_v1 = feature_service([feature_view(spec) for spec in VIEWS])
