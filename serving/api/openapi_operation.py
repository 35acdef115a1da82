"""The parts of which the OpenAPI document's paths are made: an operation, its parameters, schemas and problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.api import problems
from serving.api.responses import ProblemDocument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from serving.api.problem_kind import ProblemKind

REF: Final = "#/components/schemas/{model}"
BODY_PROBLEMS: Final = (
    problems.BODY_TOO_SLOW, problems.BODY_TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE, problems.MALFORMED_BODY,
)  # fmt: skip
STORE_PROBLEMS: Final = (problems.UNKNOWN_ACCOUNT, problems.STORE_UNAVAILABLE)
COMMON_PROBLEMS: Final = (problems.INTERNAL_ERROR, problems.OVERLOADED, problems.NOT_READY)
ACCOUNT: Final = "acme-0042"
"""The account that examples speak of."""


def operation(
    name: str,
    tag: str,
    summary: str,
    description: str,
    content: dict[str, Any],
    kinds: Sequence[ProblemKind],
    *,
    body: Mapping[str, Any] | None = None,
    examples: Mapping[str, Any] | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the description of one method of a path.

    Args:
        name: The operation's id.
        tag: The group that it is shown in.
        summary: What it is, in a few words; also describes the answer.
        description: What it does, in sentences.
        content: The answer by media type.
        kinds: Problems that it may answer with, beside those of every operation.
        body: Schema of the body, if there is one.
        examples: Bodies, each by a name, with a summary.
        parameters: Parameters of path, query and headers, beside those of every operation.
    """
    request_id = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    answers: dict[str, Any] = {"200": {"description": summary, "headers": request_id, "content": content}}
    by_status: dict[int, list[ProblemKind]] = {}
    for kind in (*kinds, *COMMON_PROBLEMS):
        by_status.setdefault(kind.status, []).append(kind)
    for status in sorted(by_status):
        headers = dict(request_id)
        if status == problems.OVERLOADED.status:
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        answers[str(status)] = {
            "description": " ".join(f"`{kind.type}`: {kind.meaning}" for kind in by_status[status]),
            "headers": headers,
            "content": {"application/problem+json": {"schema": ref(ProblemDocument)}},
        }
    described: dict[str, Any] = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": [
            *parameters,
            {"$ref": "#/components/parameters/RequestId"},
            {"$ref": "#/components/parameters/Traceparent"},
        ],
        "responses": answers,
    }
    if body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body, "examples": examples or {}}},
        }
    return described


def ref(model: type[BaseModel]) -> dict[str, str]:
    """Return the schema that refers to that of *model*."""
    return {"$ref": REF.format(model=model.__name__)}


def as_json(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the content of an answer that is JSON of *schema*."""
    return {"application/json": {"schema": schema}}


def path_parameter(name: str, description: str, example: str) -> dict[str, Any]:
    """Return the description of the part *name* of a path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }


def query_parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON Schema
    """Return the description of the parameter *name* of a query, a string of which *schema* says more."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }
