"""`GET /v1/decisions/{decision_id}`: a past decision, what it was made from, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.api.messages import Request, Response, json_response
from serving.api.problems import UNKNOWN_DECISION, ProblemError
from serving.ledger.decisions import DECISION
from serving.ledger.outcomes import outcomes_of

if TYPE_CHECKING:
    from serving.ledger.transaction import Transaction
    from serving.state import ServingState

MOST_OUTCOMES: Final = 1000


async def get(state: ServingState, request: Request) -> Response:
    """Answer with the decision that the path names."""
    decision_id = request.parameters["decision_id"]
    found = None
    if "\0" not in decision_id:  # no database's text may hold it
        found = await state.ledger.look(lambda ledger: _find(ledger, decision_id))
    if found is None:
        raise ProblemError(
            UNKNOWN_DECISION,
            "The ledger holds no decision with this id.",
            members={"decision_id": decision_id},
        )
    return json_response(found)


def _find(ledger: Transaction, decision_id: str) -> dict[str, Any] | None:
    entry = ledger.get(DECISION, decision_id)
    if entry is None:
        return None
    return {
        "decision_id": decision_id,
        "account_id": entry.account_id,
        "decision": entry.content["answer"],
        "frame": entry.content["frame"],
        "outcomes": outcomes_of(ledger, decision_id, MOST_OUTCOMES),
        "record": ledger.place(DECISION, decision_id),
    }
