"""`GET /openapi.json` and `GET /docs`: the API as OpenAPI 3.1, and a page that shows it without a network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic.json_schema import models_json_schema

import serving
from serving.api.account_paths import ACCOUNT_SCHEMAS, account_paths
from serving.api.action_paths import ACTION_SCHEMAS, action_paths
from serving.api.decision_paths import DECISION_SCHEMAS, decision_paths
from serving.api.messages import Request, Response
from serving.api.openapi_operation import REF, operation, path_parameter, ref
from serving.api.responses import ProblemDocument
from serving.api.service_paths import SERVICE_SCHEMAS, service_paths
from serving.api.trigger_paths import TRIGGER_SCHEMAS, trigger_paths

if TYPE_CHECKING:
    from pydantic import BaseModel

    from serving.state import ServingState

VERSION = "0.1.0"
DOCS_PAGE = Path(__file__).with_name("docs.html")
SCHEMAS: tuple[type[BaseModel], ...] = (
    *ACCOUNT_SCHEMAS, *TRIGGER_SCHEMAS, *DECISION_SCHEMAS, *ACTION_SCHEMAS, *SERVICE_SCHEMAS, ProblemDocument,
)  # fmt: skip


async def document(_state: ServingState, _request: Request) -> Response:
    """Answer with the OpenAPI document."""
    return Response(_document_bytes())


async def docs(_state: ServingState, _request: Request) -> Response:
    """Answer with the page that shows the OpenAPI document."""
    policy = b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
    return Response(
        _page_bytes(),
        content_type=b"text/html; charset=utf-8",
        headers=((b"content-security-policy", policy),),
    )


async def index(_state: ServingState, _request: Request) -> Response:
    """Lead from the root to the page."""
    return Response(b"", status=307, headers=((b"location", b"/docs"),))


@cache
def _document_bytes() -> bytes:
    return orjson.dumps(openapi_document())


@cache
def _page_bytes() -> bytes:
    return DOCS_PAGE.read_bytes()


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of every endpoint."""
    _, definitions = models_json_schema([(model, "serialization") for model in SCHEMAS], ref_template=REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keepgrow",
            "version": VERSION,
            "summary": "Churn risk, upsell probability and the one action worth taking now.",
            "description": (serving.__doc__ or "").strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "accounts", "description": "Questions about accounts."},
            {"name": "decisions", "description": "What was decided, and what came of it."},
            {"name": "actions", "description": "Simulate, approve, apply and undo."},
            {"name": "models", "description": "What is served."},
            {"name": "operations", "description": "For those who run the service."},
        ],
        "paths": {
            **account_paths(),
            **trigger_paths(),
            **decision_paths(),
            **action_paths(operation, ref, path_parameter),
            **service_paths(),
        },
        "components": {
            "schemas": definitions["$defs"],
            "headers": {
                "X-Request-Id": {
                    "description": "The request's id: the client's own if it sent one, else a new one.",
                    "schema": {"type": "string"},
                },
                "Retry-After": {
                    "description": "Seconds after which to try again.",
                    "schema": {"type": "integer"},
                },
            },
            "parameters": {
                "RequestId": {
                    "name": "X-Request-Id",
                    "in": "header",
                    "required": False,
                    "description": "Echoed in the answer and written to the log.",
                    "schema": {"type": "string", "maxLength": 128},
                },
                "Traceparent": {
                    "name": "traceparent",
                    "in": "header",
                    "required": False,
                    "description": "W3C trace context; echoed in the answer and written to the log.",
                    "schema": {"type": "string"},
                },
            },
        },
    }
