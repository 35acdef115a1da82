"""The OpenAPI description of the service itself: its models, its health, its metrics and its documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.api import problems, responses
from serving.api.openapi_operation import as_json, operation, path_parameter, ref

if TYPE_CHECKING:
    from pydantic import BaseModel

SERVICE_SCHEMAS: Final[tuple[type[BaseModel], ...]] = (responses.ModelsAnswer, responses.StatusAnswer)


def service_paths() -> dict[str, Any]:
    """Return the paths of models, probes, metrics and documents."""
    return {
        "/v1/models": {
            "get": operation(
                "models", "models", "What is served", "Tag, feature contract, heads, tiers and provenance.",
                as_json(ref(responses.ModelsAnswer)), (),
            )
        },
        "/models/{tag}": {
            "get": operation(
                "model_card", "models", "The model card, for people",
                "The page that training wrote into the bundle.",
                {"text/html": {"schema": {"type": "string"}}}, (problems.UNKNOWN_MODEL,),
                parameters=[path_parameter("tag", "The bundle's tag.", "keepgrow:latest")],
            )
        },
        "/livez": {
            "get": operation(
                "livez", "operations", "Is the process alive", "Holds while the store is gone.",
                as_json(ref(responses.StatusAnswer)), (),
            )
        },
        "/readyz": {
            "get": operation(
                "readyz", "operations", "Should the process get requests",
                "The bundle is loaded and warmed up, and the store answers.",
                as_json(ref(responses.StatusAnswer)), (),
            )
        },
        "/metrics": {
            "get": operation(
                "metrics", "operations", "Metrics", "Prometheus' text format; the workers' values added up.",
                {"text/plain": {"schema": {"type": "string"}}}, (),
            )
        },
        "/openapi.json": {
            "get": operation(
                "openapi", "operations", "This document", "OpenAPI 3.1.", as_json({"type": "object"}), ()
            )
        },
        "/docs": {
            "get": operation(
                "docs", "operations", "This document for people", "Loads nothing from elsewhere.",
                {"text/html": {"schema": {"type": "string"}}}, (),
            )
        },
    }  # fmt: skip
