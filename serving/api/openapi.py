"""`GET /openapi.json` and `GET /docs`: the API as OpenAPI 3.1, and a page that shows it without a network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic.json_schema import models_json_schema

import serving
from serving.api import problems, responses
from serving.api.action_paths import ACTION_SCHEMAS, action_paths
from serving.api.action_problems import UNKNOWN_SOURCE
from serving.api.brief_responses import BriefAnswer
from serving.api.card_responses import AccountCard
from serving.api.messages import Request, Response
from serving.api.requests import (
    EXPLAIN_EXACTLY,
    WITH_INTERVALS,
    NextBestActionRequest,
    OutcomeRequest,
    ScoreManyRequest,
    ScoreOneRequest,
)
from serving.api.trigger_requests import RunTriggersRequest, TriggerRunAnswer, WorkflowsAnswer
from serving.scoring.exact import METHOD, MOST_ACCOUNTS

if TYPE_CHECKING:
    from pydantic import BaseModel

    from serving.api.problem_kind import ProblemKind
    from serving.state import ServingState

VERSION = "0.1.0"
DOCS_PAGE = Path(__file__).with_name("docs.html")
REF = "#/components/schemas/{model}"
SCHEMAS: tuple[type[BaseModel], ...] = (
    ScoreOneRequest, ScoreManyRequest, NextBestActionRequest, OutcomeRequest, responses.ScoreAnswer,
    responses.ExplainedScoreAnswer, responses.ScoresAnswer, responses.DecisionAnswer, AccountCard, BriefAnswer,
    responses.HoldoutAnswer, responses.RecordedDecisionAnswer, responses.OutcomeAnswer, responses.ModelsAnswer,
    responses.StatusAnswer, responses.ProblemDocument,
    RunTriggersRequest, TriggerRunAnswer, WorkflowsAnswer, *ACTION_SCHEMAS,
)  # fmt: skip
BODY_PROBLEMS = (
    problems.BODY_TOO_SLOW, problems.BODY_TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE, problems.MALFORMED_BODY,
)  # fmt: skip
COMMON_PROBLEMS = (problems.INTERNAL_ERROR, problems.OVERLOADED, problems.NOT_READY)
ACCOUNT = "acme-0042"
DECISION_ID = "dec_0123456789abcdef0123456789abcdef"
EXPLAIN: dict[str, Any] = {
    "name": "explain",
    "in": "query",
    "required": False,
    "description": "`exact`: reasons are the account's own TreeSHAP values instead of looked-up ones, and "
    f"`signals.contributions` has every feature's; `signals.method` is then `{METHOD}`.",
    "schema": {"type": "string", "enum": [EXPLAIN_EXACTLY]},
}
INTERVALS: dict[str, Any] = {
    "name": "intervals",
    "in": "query",
    "required": False,
    "description": f"`{WITH_INTERVALS}`: scores of several accounts come with the 90 % intervals that the score of "
    "one account always has, at the price of a longer wait.",
    "schema": {"type": "string", "enum": [WITH_INTERVALS]},
}
FORMAT: dict[str, Any] = {
    "name": "format",
    "in": "query",
    "required": False,
    "description": "`json` or `html`; without it `Accept` decides, and JSON is the default.",
    "schema": {"type": "string", "enum": ["json", "html"]},
}
SHARED: dict[str, Any] = {
    "name": "simulation_id",
    "in": "query",
    "required": False,
    "description": "An earlier simulation of the account to show as well, such as one that waits for approval.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"},
}


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
        "paths": _paths(),
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


def _paths() -> dict[str, Any]:
    store = (problems.UNKNOWN_ACCOUNT, problems.STORE_UNAVAILABLE)
    return {
        "/v1/score": {
            "post": _operation(
                "score", "accounts", "Score one account, or up to 500",
                "With `account_id` the answer is one score, with `account_ids` it is `scores` and `errors`. "
                "Stale or thin features are scored all the same; `evidence` says so. With `explain=exact` "
                f"up to {MOST_ACCOUNTS} accounts get exact reasons, each in one to some milliseconds.",
                _json(
                    {
                        "anyOf": [
                            _ref(responses.ScoreAnswer), _ref(responses.ExplainedScoreAnswer),
                            _ref(responses.ScoresAnswer),
                        ]
                    }
                ),
                (
                    *BODY_PROBLEMS, problems.TOO_MANY_ACCOUNTS, problems.INVALID_PARAMETER,
                    problems.EXACT_REASONS_UNAVAILABLE, *store,
                ),
                parameters=[EXPLAIN, INTERVALS],
                body={"oneOf": [_ref(ScoreOneRequest), _ref(ScoreManyRequest)]},
                examples={
                    "one": {"summary": "One account", "value": {"account_id": ACCOUNT}},
                    "several": {
                        "summary": "Several accounts", "value": {"account_ids": [ACCOUNT, "acme-0043"]},
                    },
                },
            )
        },
        "/v1/next-best-action": {
            "post": _operation(
                "next_best_action", "accounts", "The one action worth taking now",
                "`action` is null when nothing is worth doing or allowed; `reason` then says why. Every "
                "action of the catalogue is the action, an alternative, or refused with its stage and rule.",
                _json(_ref(responses.DecisionAnswer)), (*BODY_PROBLEMS, *store, problems.LEDGER_UNAVAILABLE),
                body=_ref(NextBestActionRequest),
                examples={
                    "hint": {
                        "summary": "An inline hint", "value": {"account_id": ACCOUNT, "surface": "in_app"},
                    }
                },
            )
        },
        "/v1/accounts/{account_id}": {
            "get": _operation(
                "account_card", "accounts", "The account card",
                "Score with intervals, key profile, health trajectory, what is at stake in money and how long there "
                "is left to act, and the next best action of one account.",
                _json(_ref(AccountCard)),
                (problems.MALFORMED_BODY, *store, problems.LEDGER_UNAVAILABLE),
                parameters=[_path_parameter("account_id", "The account, percent-encoded.", ACCOUNT)],
            )
        },
        "/v1/accounts/{account_id}/brief": {
            "get": _operation(
                "brief", "accounts", "What to read before acting on an account",
                "The account card with every action that stands, safest first: its effect with intervals, what would "
                "come of it, every check; what was refused and why, what was done before, and where all of it comes "
                "from. Each action is simulated on record, so that it can be applied by its `simulation_id`. As a "
                "page it has buttons to apply, approve and undo.",
                {**_json(_ref(BriefAnswer)), "text/html": {"schema": {"type": "string"}}},
                (
                    problems.MALFORMED_BODY, problems.INVALID_PARAMETER, *store, UNKNOWN_SOURCE, problems.ERASED,
                    problems.LEDGER_UNAVAILABLE,
                ),
                parameters=[
                    _path_parameter("account_id", "The account, percent-encoded.", ACCOUNT), FORMAT, SHARED,
                ],
            )
        },
        "/v1/accounts/{account_id}/workflows": {
            "get": _operation(
                "workflows", "accounts", "The workflows of an account",
                "Why triggers started each, what it is to do, and what became of its steps, newest first.",
                _json(_ref(WorkflowsAnswer)), (problems.MALFORMED_BODY, problems.LEDGER_UNAVAILABLE),
                parameters=[_path_parameter("account_id", "The account, percent-encoded.", ACCOUNT)],
            )
        },
        "/v1/triggers/run": {
            "post": _operation(
                "run_triggers", "decisions", "Run triggers over some accounts",
                "Scores the accounts as they are now, and starts, continues and ends their workflows within the ladder "
                "of autonomy. For a stream processor that sees usage drop; `keepgrow triggers run` goes over all "
                "accounts. It may be repeated: what is on record is not done again.",
                _json(_ref(TriggerRunAnswer)),
                (*BODY_PROBLEMS, problems.TOO_MANY_ACCOUNTS, problems.STORE_UNAVAILABLE, problems.LEDGER_UNAVAILABLE),
                body=_ref(RunTriggersRequest),
                examples={
                    "dropped": {"summary": "Usage dropped", "value": {"account_ids": [ACCOUNT, "acme-0043"]}}
                },
            )
        },
        "/v1/holdouts/{account_id}": {
            "get": _operation(
                "holdouts", "accounts", "What an account is held out of",
                "Accounts that are held out get no action, so that the effect of actions can be measured. "
                "Every id has an answer: assignment is a hash of it.",
                _json(_ref(responses.HoldoutAnswer)), (problems.MALFORMED_BODY,),
                parameters=[_path_parameter("account_id", "The account, percent-encoded.", ACCOUNT)],
            )
        },
        "/v1/decisions/{decision_id}": {
            "get": _operation(
                "decision", "decisions", "A past decision",
                "The answer as it was given, all that it was made from, what came of it, and its place in the "
                "ledger's chain.",
                _json(_ref(responses.RecordedDecisionAnswer)),
                (problems.UNKNOWN_DECISION, problems.ERASED, problems.LEDGER_UNAVAILABLE),
                parameters=[_path_parameter("decision_id", "The decision's id.", DECISION_ID)],
            )
        },
        "/v1/outcomes": {
            "post": _operation(
                "outcome", "decisions", "What came of a decision",
                "Written once however often it is sent. After a rejection the action is not proposed to the "
                "account again for `KEEPGROW_REJECTION_DAYS`.",
                _json(_ref(responses.OutcomeAnswer)),
                (
                    *BODY_PROBLEMS, problems.UNKNOWN_DECISION, problems.OUTCOME_CONFLICT, problems.ERASED,
                    problems.LEDGER_UNAVAILABLE,
                ),
                body=_ref(OutcomeRequest),
                examples={
                    "rejected": {
                        "summary": "The customer did not want it",
                        "value": {"decision_id": DECISION_ID, "event": "rejected", "reason": "no budget this year"},
                    }
                },
            )
        },
        **action_paths(_operation, _ref, _path_parameter),
        "/v1/models": {
            "get": _operation(
                "models", "models", "What is served", "Tag, feature contract, heads, tiers and provenance.",
                _json(_ref(responses.ModelsAnswer)), (),
            )
        },
        "/models/{tag}": {
            "get": _operation(
                "model_card", "models", "The model card, for people",
                "The page that training wrote into the bundle.",
                {"text/html": {"schema": {"type": "string"}}}, (problems.UNKNOWN_MODEL,),
                parameters=[_path_parameter("tag", "The bundle's tag.", "keepgrow:latest")],
            )
        },
        "/livez": {
            "get": _operation(
                "livez", "operations", "Is the process alive", "Holds while the store is gone.",
                _json(_ref(responses.StatusAnswer)), (),
            )
        },
        "/readyz": {
            "get": _operation(
                "readyz", "operations", "Should the process get requests",
                "The bundle is loaded and warmed up, and the store answers.",
                _json(_ref(responses.StatusAnswer)), (),
            )
        },
        "/metrics": {
            "get": _operation(
                "metrics", "operations", "Metrics", "Prometheus' text format; the workers' values added up.",
                {"text/plain": {"schema": {"type": "string"}}}, (),
            )
        },
        "/openapi.json": {
            "get": _operation(
                "openapi", "operations", "This document", "OpenAPI 3.1.", _json({"type": "object"}), ()
            )
        },
        "/docs": {
            "get": _operation(
                "docs", "operations", "This document for people", "Loads nothing from elsewhere.",
                {"text/html": {"schema": {"type": "string"}}}, (),
            )
        },
    }  # fmt: skip


def _operation(
    name: str,
    tag: str,
    summary: str,
    description: str,
    content: dict[str, Any],
    kinds: tuple[ProblemKind, ...],
    *,
    body: dict[str, Any] | None = None,
    examples: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
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
            "content": {"application/problem+json": {"schema": _ref(responses.ProblemDocument)}},
        }
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": [
            *(parameters or []),
            {"$ref": "#/components/parameters/RequestId"},
            {"$ref": "#/components/parameters/Traceparent"},
        ],
        "responses": answers,
    }
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body, "examples": examples or {}}},
        }
    return operation


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _path_parameter(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string", "minLength": 1},
        "example": example,
    }
