"""Answers in the form that the OpenAPI document gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema

from serving.api.openapi import openapi_document

if TYPE_CHECKING:
    import httpx


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a component of the OpenAPI document, self-contained."""
    return {"$ref": f"#/components/schemas/{name}", "components": openapi_document()["components"]}


def fits(answer: httpx.Response, name: str) -> dict[str, Any]:
    """Return the answer's JSON, which must be of the documented form *name*."""
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    jsonschema.validate(found, schema_of(name))
    return found
