"""Feature services: exactly the vector that models are trained on and served with, one a version.

Views that a training must ask for are in services of their own, one for each choice of them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from feast import FeatureService, FeatureView

from feature_repo.errors import ContractError, PipelineError
from feature_repo.pipeline.views import OPT_IN_VIEWS
from feature_repo.views.making import feature_view, registered_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

SERVICE_NAME: Final = "keepgrow_v1"
_OPT_IN: Final = tuple(spec.name for spec in OPT_IN_VIEWS)


def service_name(with_views: Iterable[str] = ()) -> str:
    """Return the name of the service that holds what every bundle reads and the opt-in views *with_views*.

    Raises:
        ContractError: One of them is no opt-in view.
    """
    asked = set(with_views)
    unknown = sorted(asked - set(_OPT_IN))
    if unknown:
        raise ContractError(
            f"{unknown[0]!r} is no view that a training can ask for; those are {', '.join(_OPT_IN)}"
        )
    return "_".join(
        [SERVICE_NAME, *(("with",) if asked else ()), *(name for name in _OPT_IN if name in asked)]
    )


def service_with_files(with_views: Iterable[str], features_dir: Path) -> str:
    """Return `service_name` of *with_views* once each of them has files in *features_dir*.

    Raises:
        ContractError: One of them is no opt-in view.
        PipelineError: One of them has no files.
    """
    asked = set(with_views)
    name, there = service_name(asked), registered_views(features_dir)
    for spec in OPT_IN_VIEWS:
        if spec.name in asked and spec not in there:
            raise PipelineError(
                f"{features_dir}: no feature files of the view {spec.name}; bring the table "
                f"{' and '.join(spec.tables)}, build the features, then apply"
            )
    return name


def opted_into(service: str) -> tuple[str, ...]:
    """Return the opt-in views of the service called *service*; none if it is not one of `feature_services`."""
    return next((choice for choice in _choices(_OPT_IN) if service_name(choice) == service), ())


def feature_services(views: Sequence[FeatureView]) -> list[FeatureService]:
    """Return the service of the views that every bundle reads, and one for each choice of opt-in views in *views*."""
    there = [view.name for view in views if view.name in _OPT_IN]
    return [_service(views, choice) for choice in _choices(there)]


def _choices(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Return every choice of *names*, the empty one first."""
    return itertools.chain.from_iterable(
        itertools.combinations(names, size) for size in range(len(names) + 1)
    )


def _service(views: Sequence[FeatureView], with_views: Sequence[str]) -> FeatureService:
    """Return the service that names every served feature of its views, in their order."""
    return FeatureService(
        name=service_name(with_views),
        features=[
            view[_served(view)] for view in views if view.name not in _OPT_IN or view.name in with_views
        ],
        description="Every feature that the models read, and what decisions must know of an account.",
        tags={"version": "1"},
        owner="data-science@keepgrow.example",
    )


def _served(view: FeatureView) -> list[str]:
    return [field.name for field in view.features if field.tags.get("role") != "offline"]


_SERVICES = {
    service.name: service for service in feature_services([feature_view(s) for s in registered_views()])
}
keepgrow_v1 = _SERVICES[service_name()]
keepgrow_v1_with_procurement = _SERVICES.get(service_name(["procurement"]))
keepgrow_v1_with_external = _SERVICES.get(service_name(["external"]))
keepgrow_v1_with_procurement_external = _SERVICES.get(service_name(["procurement", "external"]))
