"""The OpenAPI description of `/v1/actions/...`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.api import action_problems as kinds
from serving.api import action_requests as requests
from serving.api import action_responses as responses
from serving.api import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from serving.api.problem_kind import ProblemKind

ACTION_SCHEMAS: Final[tuple[type[BaseModel], ...]] = (
    requests.SimulateActionRequest, requests.SimulateDraftRequest, requests.SimulateAccountsRequest,
    requests.SimulatePolicyRequest, requests.ApplySimulationRequest, requests.ApplyDecisionRequest,
    requests.ApproveRequest, requests.RollbackRequest, responses.SimulationAnswer, responses.NewReceiptAnswer,
    responses.KnownReceiptAnswer, responses.ApprovalAnswer, responses.RollbackAnswer, responses.ProjectionAnswer,
)  # fmt: skip
SIMULATION: Final = "sim_0123456789abcdef0123456789abcdef"
RECEIPT: Final = "rcp_0123456789abcdef0123456789abcdef"
BODY: Final = (
    problems.BODY_TOO_SLOW, problems.BODY_TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE, problems.MALFORMED_BODY,
)  # fmt: skip
ASKED: Final = (kinds.ACTOR_MISSING, kinds.ACTOR_RESERVED)
LEDGER: Final = (problems.ERASED, problems.LEDGER_UNAVAILABLE)
STORE: Final = (problems.UNKNOWN_ACCOUNT, problems.STORE_UNAVAILABLE)
ACTOR: Final[dict[str, Any]] = {
    "name": "Keepgrow-Actor",
    "in": "header",
    "required": False,
    "description": "Who asks, if the body does not say so.",
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,198}[!-~])?$"},
}
KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A new one for each action; the same request with the same key has the same answer.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
TYPE: Final[dict[str, Any]] = {
    "name": "type", "in": "path", "required": True, "description": "One of the ten types.",
    "schema": {"type": "string", "minLength": 1}, "example": "adjust_seats_within_policy",
}  # fmt: skip


def action_paths(
    operation: Callable[..., dict[str, Any]],
    ref: Callable[[type[BaseModel]], dict[str, str]],
    path_parameter: Callable[[str, str, str], dict[str, Any]],
) -> dict[str, Any]:
    """Return the paths.

    Args:
        operation: Describes one operation.
        ref: Refers to a schema.
        path_parameter: Describes a part of the path: name, sentence, example.
    """

    def post(
        name: str, summary: str, description: str, answer: type[BaseModel], faults: tuple[ProblemKind, ...],
        **more: Any,  # noqa: ANN401 -- body, examples, parameters
    ) -> dict[str, Any]:  # fmt: skip
        content = {"application/json": {"schema": ref(answer)}}
        return {
            "post": operation(
                name, "actions", summary, description, content, (*BODY, *faults, *LEDGER), **more
            )
        }

    schema = {"application/schema+json": {"schema": {"type": "object"}}}
    return {
        "/v1/actions/schemas": {
            "get": operation(
                "action_schemas", "actions", "JSON Schema of actions",
                "One schema for all ten types, which `type` tells apart.", schema, (),
            )
        },
        "/v1/actions/schemas/{type}": {
            "get": operation(
                "action_schema", "actions", "JSON Schema of one type", "Complete in itself.", schema,
                (kinds.UNKNOWN_ACTION_TYPE,), parameters=[TYPE],
            )
        },
        "/v1/actions/simulate": post(
            "simulate", "What would come of it",
            "Of one action (given in full, or by its key and an account), of an action on several accounts, or of "
            "another policy: incremental MRR and NRR, margin, churn and complaint risk, budget and working time with "
            "90 % intervals, who gets it by group, and every check. Nothing is done.",
            responses.SimulationAnswer,
            (
                *ASKED, kinds.UNKNOWN_ACTION, kinds.NOT_DRAFTED, problems.TOO_MANY_ACCOUNTS, *STORE,
            ),
            parameters=[ACTOR],
            body={
                "oneOf": [
                    ref(requests.SimulateActionRequest), ref(requests.SimulateDraftRequest),
                    ref(requests.SimulateAccountsRequest), ref(requests.SimulatePolicyRequest),
                ]
            },
            examples={
                "one": {
                    "summary": "An action of the catalogue on one account",
                    "value": {"actor": "ann@example.com", "action_key": "add_seats", "account_id": "acme-0042"},
                },
                "several": {
                    "summary": "The same on several",
                    "value": {
                        "actor": "ann@example.com", "action_key": "add_seats",
                        "account_ids": ["acme-0042", "acme-0043"],
                    },
                },
            },
        ),
        "/v1/actions/apply": post(
            "apply", "Carry an action out, once",
            "Policy, holdouts, the ladder of autonomy and the action's own facts are checked again, on features as "
            "they are now. The effect leaves by the outbox.",
            responses.NewReceiptAnswer,
            (
                kinds.KEY_MISSING, *ASKED, kinds.KEY_REUSED, kinds.UNKNOWN_SOURCE, kinds.EXPIRED,
                kinds.ALREADY_APPLIED, kinds.LEVEL_TOO_LOW, kinds.REFUSED, kinds.APPROVALS_MISSING, kinds.NOT_DRAFTED,
                kinds.UNKNOWN_ACTION, *STORE,
            ),
            parameters=[KEY, ACTOR],
            body={"oneOf": [ref(requests.ApplySimulationRequest), ref(requests.ApplyDecisionRequest)]},
            examples={
                "simulated": {
                    "summary": "As it was simulated",
                    "value": {"actor": "ann@example.com", "simulation_id": SIMULATION},
                }
            },
        ),
        "/v1/actions/{id}": {
            "get": operation(
                "receipt", "actions", "A receipt", "With what became of its effects, and its rollback.",
                {"application/json": {"schema": ref(responses.KnownReceiptAnswer)}},
                (kinds.UNKNOWN_RECEIPT, *LEDGER),
                parameters=[path_parameter("id", "The receipt.", RECEIPT)],
            )
        },
        "/v1/actions/{id}/approve": post(
            "approve", "Agree to an action",
            "For actions whose blast radius asks for it. Who simulated an action can't approve it.",
            responses.ApprovalAnswer,
            (*ASKED, kinds.OWN_PROPOSAL, kinds.UNKNOWN_SOURCE, kinds.EXPIRED),
            parameters=[path_parameter("id", "The simulation or decision.", SIMULATION), ACTOR],
            body=ref(requests.ApproveRequest),
            examples={"agreed": {"summary": "Agreed", "value": {"actor": "bob@example.com", "note": "Read it."}}},
        ),
        "/v1/actions/{id}/rollback": post(
            "rollback", "Undo an action",
            "What has not left is cancelled; what has is followed by its inverse. Once more is the same as once.",
            responses.RollbackAnswer,
            (*ASKED, kinds.WRONG_TOKEN, kinds.UNKNOWN_RECEIPT, kinds.NOT_REVERSIBLE),
            parameters=[path_parameter("id", "The receipt.", RECEIPT), ACTOR],
            body=ref(requests.RollbackRequest),
            examples={
                "undo": {
                    "summary": "Undo",
                    "value": {"actor": "ann@example.com", "rollback_token": "rbt_...", "reason": "wrong account"},
                }
            },
        ),
    }  # fmt: skip
