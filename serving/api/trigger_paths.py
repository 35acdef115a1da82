"""The OpenAPI description of triggers and of the workflows that they start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.api import problems
from serving.api.openapi_operation import ACCOUNT, BODY_PROBLEMS, as_json, operation, path_parameter, ref
from serving.api.trigger_requests import RunTriggersRequest, TriggerRunAnswer, WorkflowsAnswer

if TYPE_CHECKING:
    from pydantic import BaseModel

TRIGGER_SCHEMAS: Final[tuple[type[BaseModel], ...]] = (RunTriggersRequest, TriggerRunAnswer, WorkflowsAnswer)


def trigger_paths() -> dict[str, Any]:
    """Return the paths of workflows and of running triggers."""
    return {
        "/v1/accounts/{account_id}/workflows": {
            "get": operation(
                "workflows", "accounts", "The workflows of an account",
                "Why triggers started each, what it is to do, and what became of its steps, newest first.",
                as_json(ref(WorkflowsAnswer)), (problems.MALFORMED_BODY, problems.LEDGER_UNAVAILABLE),
                parameters=[path_parameter("account_id", "The account, percent-encoded.", ACCOUNT)],
            )
        },
        "/v1/triggers/run": {
            "post": operation(
                "run_triggers", "decisions", "Run triggers over some accounts",
                "Scores the accounts as they are now, and starts, continues and ends their workflows within the ladder "
                "of autonomy. For a stream processor that sees usage drop; `keepgrow triggers run` goes over all "
                "accounts. It may be repeated: what is on record is not done again.",
                as_json(ref(TriggerRunAnswer)),
                (*BODY_PROBLEMS, problems.TOO_MANY_ACCOUNTS, problems.STORE_UNAVAILABLE, problems.LEDGER_UNAVAILABLE),
                body=ref(RunTriggersRequest),
                examples={
                    "dropped": {"summary": "Usage dropped", "value": {"account_ids": [ACCOUNT, "acme-0043"]}}
                },
            )
        },
    }  # fmt: skip
