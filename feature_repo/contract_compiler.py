"""A Feast feature service, compiled to the contract that training writes into a bundle and serving reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mmh3
from feast.errors import FeastObjectNotFoundException

from feature_repo.contract import ContractFeature, ContractView, FeatureContract, RowLayout
from feature_repo.errors import ContractError
from feature_repo.views.making import FEAST_TYPES

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

    from feature_repo.pipeline.spec import Dtype

DTYPES: dict[Any, Dtype] = {feast_type: name for name, feast_type in FEAST_TYPES.items()}


def redis_field(view: str, feature: str) -> bytes:
    """Return the four bytes that name a feature's field in an account's hash: murmur3, little endian."""
    return mmh3.hash(f"{view}:{feature}", signed=False).to_bytes(4, "little")


def compile_contract(store: FeatureStore, service_name: str) -> FeatureContract:
    """Return the contract of a feature service, views and features in the service's order.

    Args:
        store: A Feast store with the service applied.
        service_name: Name of the service.

    Raises:
        ContractError: The service is not in the registry; its views differ in entity or have none; a
            feature's type can't be served; a view has no ttl; or two features share a name or a Redis field.
    """
    try:
        service = store.get_feature_service(service_name)
    except FeastObjectNotFoundException:
        known = ", ".join(sorted(one.name for one in store.list_feature_services())) or "none"
        raise ContractError(
            f"the registry holds no feature service {service_name!r} (it holds: {known}); "
            "run `keepgrow apply`"
        ) from None
    views: list[ContractView] = []
    features: list[ContractFeature] = []
    join_keys: set[str] = set()
    for projection in service.feature_view_projections:
        view = store.get_feature_view(projection.name)
        views.append(ContractView(name=view.name, limit_seconds=_limit_seconds(view)))
        join_keys.update(view.join_keys)
        features += [_feature(view.name, field) for field in projection.features]
    if len(join_keys) != 1:
        raise ContractError(
            f"views of {service_name} should have one join key in all, not {sorted(join_keys)}"
        )
    _require_unique(features)
    return FeatureContract(
        project=store.project,
        feature_service=service_name,
        join_key=join_keys.pop(),
        views=tuple(views),
        features=tuple(features),
    )


def row_layout(view: FeatureView) -> RowLayout | None:
    """Return how rows of *view* are packed, or None if it has no feature that is served, or one that can't be."""
    served = [field for field in view.features if field.tags.get("role") != "offline"]
    if not served or any(field.dtype not in DTYPES for field in served):
        return None
    return RowLayout.of(
        view.name, ((field.name, DTYPES[field.dtype], field.tags.get("role", "model")) for field in served)
    )


def _limit_seconds(view: FeatureView) -> int:
    seconds = int(view.ttl.total_seconds()) if view.ttl is not None else 0
    if seconds <= 0:
        raise ContractError(f"the view {view.name} has no ttl, so nothing says when its rows are stale")
    return seconds


def _feature(view: str, field: Any) -> ContractFeature:  # noqa: ANN401 - a Feast field; Feast brings no types
    if field.dtype not in DTYPES:
        raise ContractError(
            f"{view}:{field.name} is {field.dtype}; served features are {', '.join(FEAST_TYPES)}"
        )
    return ContractFeature(
        view=view,
        name=field.name,
        dtype=DTYPES[field.dtype],
        role=field.tags.get("role", "model"),
        description=field.description,
        signal=field.tags.get("signal", field.name),
        text=field.tags.get("text", ""),
        redis_field_hex=redis_field(view, field.name).hex(),
    )


def _require_unique(features: list[ContractFeature]) -> None:
    for attribute, what in (("name", "name"), ("redis_field_hex", "Redis field")):
        seen: dict[str, ContractFeature] = {}
        for feature in features:
            other = seen.setdefault(getattr(feature, attribute), feature)
            if other is not feature:
                raise ContractError(
                    f"{other.view}:{other.name} and {feature.view}:{feature.name} have "
                    f"the same {what}; rename one"
                )
