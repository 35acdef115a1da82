"""`POST /v1/outcomes`: what came of a decision, joined to it, written once however often it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.api.messages import Request, Response, json_response
from serving.api.problems import MALFORMED_BODY, OUTCOME_CONFLICT, UNKNOWN_DECISION, ProblemError
from serving.api.requests import parse_outcome
from serving.errors import EntryExists
from serving.ledger.outcomes import SEEN, Outcome, UnknownActionOfDecision, UnknownDecision, record_outcome

if TYPE_CHECKING:
    from serving.state import ServingState


async def post(state: ServingState, request: Request) -> Response:
    """Answer with the outcome as the ledger holds it; whether it was shown settles what it uses of caps.

    If the store of caps does not answer, the outcome is on record and the sender is told to send it again.
    """
    settings = state.settings
    wanted = parse_outcome(await request.json(settings.max_body_bytes, settings.body_timeout_seconds))
    outcome = Outcome(**wanted.model_dump())
    now = state.clock.now()
    try:
        recorded = await state.ledger.transact(
            lambda transaction: record_outcome(
                transaction, outcome, now=now, rejection_days=settings.rejection_days
            )
        )
    except UnknownDecision as error:
        members = {"decision_id": outcome.decision_id}
        raise ProblemError(
            UNKNOWN_DECISION, "The ledger holds no decision with this id.", members=members
        ) from error
    except UnknownActionOfDecision as error:
        fault = {"pointer": "/action", "detail": str(error)}
        raise ProblemError(
            MALFORMED_BODY, "The decision proposed no such action.", members={"errors": [fault]}
        ) from error
    except EntryExists as error:
        raise ProblemError(
            OUTCOME_CONFLICT,
            "Another outcome was recorded under this id.",
            members={"outcome_id": error.record_id},
        ) from error
    if recorded.reservation is not None and outcome.event in SEEN:
        await state.caps.shown(recorded.reservation, now)
    elif recorded.reservation is not None and outcome.event == "not_shown":
        await state.caps.not_shown(recorded.reservation, now)
    return json_response(recorded.shown)
