"""`/v1/actions/...`: schemas, simulate, approve, apply, receipts, rollback."""

from __future__ import annotations

import asyncio
import re
import secrets
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving import metrics
from serving.actions.apply import Wish, apply, repeated_answer
from serving.actions.counting import REQUEST_OUTCOMES, SIMULATION_OUTCOMES, counted
from serving.actions.errors import UnknownReceipt, UnknownSource
from serving.actions.fresh import fresh_frame, fresh_frames
from serving.actions.receipts import read_receipt, roll_back
from serving.actions.simulate import (
    Rules,
    fingerprint,
    simulate_accounts,
    simulate_action,
    simulate_policy,
)
from serving.actions.sources import DECISION, SIMULATION, approvals_of, approve, find_source, read_source
from serving.actions.types import TYPES, draft, schema_of, schemas
from serving.api.action_problems import UNKNOWN_ACTION_TYPE
from serving.api.action_requests import (
    ApplyDecisionRequest,
    ApproveRequest,
    RollbackRequest,
    SimulateActionRequest,
    SimulateDraftRequest,
    SimulatePolicyRequest,
    actor_of,
    key_of,
    parse_apply,
    parse_body,
    parse_simulate,
)
from serving.api.messages import Request, Response, json_response
from serving.api.problems import MALFORMED_BODY, ProblemError, unknown_account
from serving.decisions.decision import utc_text
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import parse_policy
from serving.decisions.policy.fields import fields_of
from serving.errors import PolicyError
from serving.ledger.entry import Entry

if TYPE_CHECKING:
    from serving.api.action_requests import SimulateAccountsRequest
    from serving.decisions.frame import DecisionFrame
    from serving.state import ServingState

SCHEMA: Final = b"application/schema+json"
_RECORD_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_OF_OTHERS: Final = ("accounts", "changes", "errors")
"""Parts of a simulation of several accounts that name them: answered, but not recorded for good."""


async def all_schemas(_state: ServingState, _request: Request) -> Response:
    """Answer with one JSON Schema for actions of all types."""
    return Response(_schema_bytes(None), content_type=SCHEMA)


async def one_schema(_state: ServingState, request: Request) -> Response:
    """Answer with the JSON Schema of the type that the path names."""
    name = request.parameters["type"]
    if name not in TYPES:
        raise ProblemError(UNKNOWN_ACTION_TYPE, "There is no such type of action.")
    return Response(_schema_bytes(name), content_type=SCHEMA)


@cache
def _schema_bytes(name: str | None) -> bytes:
    return orjson.dumps(schemas() if name is None else schema_of(name))


@counted(metrics.simulations, {**SIMULATION_OUTCOMES, ProblemError: "invalid"})
async def simulate(state: ServingState, request: Request) -> Response:
    """Answer with what would come of an action, of an action on several accounts, or of another policy."""
    wanted = parse_simulate(await _json(state, request))
    actor = actor_of(request, wanted)
    rules = Rules(state.catalogue, state.policy)
    account_id: str | None = None
    if isinstance(wanted, SimulateActionRequest | SimulateDraftRequest):
        given = wanted.action if isinstance(wanted, SimulateActionRequest) else None
        account_id = (
            wanted.account_id if isinstance(wanted, SimulateDraftRequest) else wanted.action.account_id
        )
        frame = await fresh_frame(state, account_id)
        key = wanted.action_key if isinstance(wanted, SimulateDraftRequest) else wanted.action.action_key
        content = simulate_action(given or draft(rules.situation(frame, key)), frame, rules)
    else:
        content = await _simulate_many(state, wanted, rules)
    now = state.clock.now()
    simulation_id = f"sim_{secrets.token_hex(16)}"
    content = {
        "simulation_id": simulation_id,
        "simulated_at": utc_text(now),
        "proposed_by": actor,
        **content,
    }
    recorded = (
        content if account_id else {key: value for key, value in content.items() if key not in _OF_OTHERS}
    )
    await state.ledger.append(Entry(SIMULATION, simulation_id, account_id, now, recorded))
    metrics.simulations("valid").inc()
    return json_response(content)


async def _simulate_many(
    state: ServingState, wanted: SimulateAccountsRequest | SimulatePolicyRequest, rules: Rules
) -> dict[str, Any]:
    frames, unknown = await fresh_frames(state, wanted.account_ids)
    loop = asyncio.get_running_loop()
    if isinstance(wanted, SimulatePolicyRequest):
        content = await loop.run_in_executor(
            state.threads, _policy_change, state, wanted.policy, frames, rules
        )
    else:
        content = await loop.run_in_executor(
            state.threads, simulate_accounts, wanted.action_key, frames, rules
        )
    return {**content, "errors": [unknown_account(one.account_id).document() for one in unknown]}


def _policy_change(
    state: ServingState, text: str, frames: list[DecisionFrame], rules: Rules
) -> dict[str, Any]:
    try:
        candidate = Policy(parse_policy(text, "policy"), fields_of(state.bundle.manifest))
        candidate.require_actions(state.catalogue)
    except PolicyError as error:
        fault = {"pointer": "/policy", "detail": str(error)[:2000]}
        raise ProblemError(
            MALFORMED_BODY, "The candidate policy can't be used.", members={"errors": [fault]}
        ) from error
    return simulate_policy(frames, rules, Rules(state.catalogue, candidate))


@counted(metrics.applies, {**REQUEST_OUTCOMES, ProblemError: "malformed"})
async def apply_action(state: ServingState, request: Request) -> Response:
    """Answer with the receipt of an action that was carried out, now or when the key was first used."""
    key = key_of(request)
    body = await _json(state, request)
    wanted = parse_apply(body)
    actor = actor_of(request, wanted)
    wish = Wish(key, fingerprint([wanted.model_dump(), actor]), actor)
    known = await repeated_answer(state.ledger, wish)
    if known is not None:
        return Response(known)
    if isinstance(wanted, ApplyDecisionRequest):
        source = await read_source(state.ledger, DECISION, wanted.decision_id)
        action_key = wanted.action_key
    else:
        source, action_key = await read_source(state.ledger, SIMULATION, wanted.simulation_id), None
    rules = Rules(state.catalogue, state.policy)
    frame = await fresh_frame(state, source.account_id, source.surface)
    receipt = await apply(
        state.ledger,
        wish,
        source,
        source.action(frame, rules, action_key),
        frame,
        rules,
        approvals=await approvals_of(state.ledger, source),
        targets=state.outbox.targets,
        caps=state.applied_caps,
    )
    state.outbox.nudge()
    return Response(receipt)


async def approve_action(state: ServingState, request: Request) -> Response:
    """Answer with an approval that is on record."""
    wanted = parse_body(ApproveRequest, await _json(state, request))
    actor = actor_of(request, wanted)
    source_id = request.parameters["id"]
    if not _RECORD_ID.fullmatch(source_id):
        raise UnknownSource("the ledger has no simulation or decision with this id")
    source = await find_source(state.ledger, source_id)
    return json_response(await approve(state.ledger, source, actor, state.clock.now(), wanted.note))


async def get_receipt(state: ServingState, request: Request) -> Response:
    """Answer with a receipt and what became of its effects."""
    return json_response(await read_receipt(state.ledger, _receipt_id(request)))


async def rollback(state: ServingState, request: Request) -> Response:
    """Answer with how an action was undone, now or before."""
    wanted = parse_body(RollbackRequest, await _json(state, request))
    actor = actor_of(request, wanted)
    undone = await roll_back(
        state.ledger,
        _receipt_id(request),
        wanted.rollback_token,
        actor,
        state.clock.now(),
        reason=wanted.reason,
    )
    state.outbox.nudge()
    return json_response(undone)


def _receipt_id(request: Request) -> str:
    receipt_id = request.parameters["id"]
    if not _RECORD_ID.fullmatch(receipt_id):
        raise UnknownReceipt("the ledger has no receipt with this id")
    return receipt_id


async def _json(state: ServingState, request: Request) -> Any:  # noqa: ANN401 -- any JSON value
    return await request.json(state.settings.max_body_bytes, state.settings.body_timeout_seconds)
