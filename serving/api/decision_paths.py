"""The OpenAPI description of past decisions: what was decided, what came of it, and who is held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.api import problems, responses
from serving.api.openapi_operation import ACCOUNT, BODY_PROBLEMS, as_json, operation, path_parameter, ref
from serving.api.requests import OutcomeRequest

if TYPE_CHECKING:
    from pydantic import BaseModel

DECISION_SCHEMAS: Final[tuple[type[BaseModel], ...]] = (
    OutcomeRequest, responses.HoldoutAnswer, responses.RecordedDecisionAnswer, responses.OutcomeAnswer,
)  # fmt: skip
DECISION_ID: Final = "dec_0123456789abcdef0123456789abcdef"


def decision_paths() -> dict[str, Any]:
    """Return the paths of holdouts, decisions and outcomes."""
    return {
        "/v1/holdouts/{account_id}": {
            "get": operation(
                "holdouts", "accounts", "What an account is held out of",
                "Accounts that are held out get no action, so that the effect of actions can be measured. "
                "Every id has an answer: assignment is a hash of it.",
                as_json(ref(responses.HoldoutAnswer)), (problems.MALFORMED_BODY,),
                parameters=[path_parameter("account_id", "The account, percent-encoded.", ACCOUNT)],
            )
        },
        "/v1/decisions/{decision_id}": {
            "get": operation(
                "decision", "decisions", "A past decision",
                "The answer as it was given, all that it was made from, what came of it, and its place in the "
                "ledger's chain.",
                as_json(ref(responses.RecordedDecisionAnswer)),
                (problems.UNKNOWN_DECISION, problems.ERASED, problems.LEDGER_UNAVAILABLE),
                parameters=[path_parameter("decision_id", "The decision's id.", DECISION_ID)],
            )
        },
        "/v1/outcomes": {
            "post": operation(
                "outcome", "decisions", "What came of a decision",
                "Written once however often it is sent. After a rejection the action is not proposed to the "
                "account again for `KEEPGROW_REJECTION_DAYS`.",
                as_json(ref(responses.OutcomeAnswer)),
                (
                    *BODY_PROBLEMS, problems.UNKNOWN_DECISION, problems.OUTCOME_CONFLICT, problems.ERASED,
                    problems.LEDGER_UNAVAILABLE,
                ),
                body=ref(OutcomeRequest),
                examples={
                    "rejected": {
                        "summary": "The customer did not want it",
                        "value": {"decision_id": DECISION_ID, "event": "rejected", "reason": "no budget this year"},
                    }
                },
            )
        },
    }  # fmt: skip
