"""The OpenAPI document is complete and valid, and the page that shows it needs nothing from elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jsonschema
from jsonschema import Draft202012Validator

from serving.api.openapi import openapi_document
from serving.api.problems import KINDS
from serving.app import ROUTER

if TYPE_CHECKING:
    import httpx

NOT_DOCUMENTED = {"/"}


def test_every_route_is_documented_with_its_methods() -> None:
    """Paths and methods of the document are those of the router."""
    documented = {
        path: {method.upper() for method in methods} for path, methods in openapi_document()["paths"].items()
    }
    routed = {route.path: set(route.handlers) for route in ROUTER.routes if route.path not in NOT_DOCUMENTED}
    assert documented == routed


def test_every_reference_leads_somewhere_and_every_schema_is_valid() -> None:
    """No `$ref` dangles, and components are JSON Schemas of the draft that OpenAPI 3.1 uses."""
    document = openapi_document()
    for reference in set(re.findall(r"'\$ref': '#/([^']+)'", str(document))):
        node = document
        for part in reference.split("/"):
            node = node[part]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_examples_fit_their_schemas() -> None:
    """What the document shows as a body is a body."""
    document = openapi_document()
    for methods in document["paths"].values():
        for operation in methods.values():
            if "requestBody" not in operation:
                continue
            content = operation["requestBody"]["content"]["application/json"]
            for example in content["examples"].values():
                jsonschema.validate(
                    example["value"], {**content["schema"], "components": document["components"]}
                )


def test_every_kind_of_problem_is_documented() -> None:
    """Whatever `type` a client may meet stands in the document."""
    text = str(openapi_document())
    missing = [
        kind.type
        for kind in KINDS
        if kind.type not in text and kind.name not in {"unknown-path", "method-not-allowed"}
    ]
    assert missing == []


async def test_the_document_and_the_page_are_served(client: httpx.AsyncClient) -> None:
    """`/openapi.json` is the document; `/docs` loads nothing but it; the root leads there."""
    answer = await client.get("/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"
    page = await client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert re.findall(r"(?:https?:)?//[a-z]", page.text) == []
    assert 'fetch("/openapi.json")' in page.text
    root = await client.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "/docs")
