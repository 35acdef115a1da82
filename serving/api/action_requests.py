"""The bodies and headers of requests about actions, checked strictly."""

import re
from typing import Annotated, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from serving.actions.types import AnyAction
from serving.api.action_problems import ACTOR_MISSING, ACTOR_RESERVED, KEY_MISSING
from serving.api.messages import Request
from serving.api.problems import MALFORMED_BODY, TOO_MANY_ACCOUNTS, ProblemError
from serving.api.requests import AccountId, faulty, refuse_repeated
from serving.decisions.autonomy import is_person

MOST_SIMULATED = 200
"""Accounts that one simulation may name."""
MOST_POLICY_CHARACTERS = 100_000
ACTOR_HEADER = b"keepgrow-actor"
KEY_HEADER = b"idempotency-key"
_ACTOR = re.compile(rb"[!-~]([ -~]{0,198}[!-~])?")
_KEY = re.compile(rb"[!-~]{1,255}")

Actor = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[!-~]([ -~]{0,198}[!-~])?$"),
    Field(description="Who asks; the header `Keepgrow-Actor` does as well."),
]
ActionKey = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=200),
    Field(description="Key of an action of the catalogue."),
]
RecordId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Words = Annotated[str, StringConstraints(strict=True, max_length=2000)]
AccountIds = Annotated[
    list[AccountId], Field(min_length=1, description=f"Up to {MOST_SIMULATED} different account ids.")
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    actor: Actor | None = None


class SimulateActionRequest(_Body):
    """Simulate one action as it is given."""

    action: AnyAction


class SimulateDraftRequest(_Body):
    """Simulate an action of the catalogue, written out for one account."""

    action_key: ActionKey
    account_id: AccountId


class SimulateAccountsRequest(_Body):
    """Simulate an action of the catalogue on several accounts."""

    action_key: ActionKey
    account_ids: AccountIds


class SimulatePolicyRequest(_Body):
    """Simulate a change of policy on several accounts."""

    policy: Annotated[
        str,
        Field(min_length=1, max_length=MOST_POLICY_CHARACTERS, description="The candidate policy, as YAML."),
    ]
    account_ids: AccountIds


class ApplySimulationRequest(_Body):
    """Apply an action that was simulated."""

    simulation_id: RecordId


class ApplyDecisionRequest(_Body):
    """Apply an action that a decision proposed."""

    decision_id: RecordId
    action_key: Annotated[
        ActionKey | None, Field(description="One of the alternatives; without it, the decision's action.")
    ] = None


class ApproveRequest(_Body):
    """Agree to a simulation or decision."""

    note: Words | None = None


class RollbackRequest(_Body):
    """Undo what was applied."""

    rollback_token: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
    reason: Words | None = None


Body = TypeVar("Body", bound=_Body)
Simulate = SimulateActionRequest | SimulateDraftRequest | SimulateAccountsRequest | SimulatePolicyRequest


def parse_simulate(body: object) -> Simulate:
    """Return the request that a `/v1/actions/simulate` *body* makes; its members tell which.

    Raises:
        ProblemError: The body is of none of the forms, or names too many accounts.
    """
    many = body.get("account_ids") if isinstance(body, dict) else None
    if isinstance(many, list) and len(many) > MOST_SIMULATED:
        raise ProblemError(
            TOO_MANY_ACCOUNTS, f"{len(many)} accounts were named; one simulation may name {MOST_SIMULATED}."
        )
    if isinstance(body, dict) and "policy" in body:
        wanted: Simulate = parse_body(SimulatePolicyRequest, body)
    elif many is not None:
        wanted = parse_body(SimulateAccountsRequest, body)
    elif isinstance(body, dict) and "action" in body:
        wanted = parse_body(SimulateActionRequest, body)
    else:
        wanted = parse_body(SimulateDraftRequest, body)
    if isinstance(wanted, SimulateAccountsRequest | SimulatePolicyRequest):
        refuse_repeated(wanted.account_ids)
    return wanted


def parse_apply(body: object) -> ApplySimulationRequest | ApplyDecisionRequest:
    """Return the request that a `/v1/actions/apply` *body* makes.

    Raises:
        ProblemError: The body is of neither form.
    """
    if isinstance(body, dict) and "decision_id" in body:
        return parse_body(ApplyDecisionRequest, body)
    return parse_body(ApplySimulationRequest, body)


def parse_body(model: type[Body], body: object) -> Body:
    """Return *body* as *model*.

    Raises:
        ProblemError: It is not of that form.
    """
    if not isinstance(body, dict):
        raise ProblemError(MALFORMED_BODY, "The body should be a JSON object.")
    try:
        return model.model_validate_json(
            orjson.dumps(body)
        )  # strict values of JSON: times are text, tuples lists
    except ValidationError as error:
        raise faulty(error) from None


def actor_of(request: Request, body: _Body) -> str:
    """Return the person who asks.

    Raises:
        ProblemError: Nobody is named, or two are, or a part of the product.
    """
    actor = _named_actor(request, body)
    if not is_person(actor):
        raise ProblemError(ACTOR_RESERVED, f"{actor!r} is the name of a part of the product.")
    return actor


def _named_actor(request: Request, body: _Body) -> str:
    named = request.headers.get(ACTOR_HEADER)
    if named is None:
        if body.actor is None:
            raise ProblemError(ACTOR_MISSING, "Neither `actor` nor `Keepgrow-Actor` says who asks.")
        return body.actor
    if not _ACTOR.fullmatch(named):
        raise ProblemError(
            ACTOR_MISSING, "`Keepgrow-Actor` should have 1 to 200 printable characters of ASCII."
        )
    actor = named.decode("ascii")
    if body.actor not in {None, actor}:
        raise ProblemError(
            MALFORMED_BODY,
            "`actor` and `Keepgrow-Actor` name two people.",
            members={"errors": [{"pointer": "/actor", "detail": "should be as in the header, or left out"}]},
        )
    return actor


def key_of(request: Request) -> str:
    """Return the request's idempotency key.

    Raises:
        ProblemError: It has none, or one that can't be.
    """
    key = request.headers.get(KEY_HEADER, b"")
    if not _KEY.fullmatch(key):
        raise ProblemError(KEY_MISSING, "`Idempotency-Key` is missing, or is none.")
    return key.decode("ascii")
