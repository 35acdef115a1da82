"""The problems of actions, and which error is which."""

from __future__ import annotations

from typing import Any, Final

from serving.actions import errors
from serving.actions.simulate import UnknownAction
from serving.actions.types import DraftError
from serving.api.problem_kind import ProblemKind

CLIENT: Final = "client_error"

KEY_MISSING = ProblemKind(
    "idempotency-key-missing", 400, "No idempotency key", CLIENT,
    "Send `Idempotency-Key` with 1 to 255 printable characters of ASCII, a new one for each action.",
)  # fmt: skip
ACTOR_MISSING = ProblemKind(
    "actor-missing", 400, "Nobody asks", CLIENT,
    "Say who asks: `actor` in the body, or the header `Keepgrow-Actor`, 1 to 200 printable characters of ASCII.",
)  # fmt: skip
KEY_REUSED = ProblemKind(
    "idempotency-key-reused", 422, "Idempotency key reused", CLIENT,
    "The key was used for a request of another content. Take a new one for each action.",
)  # fmt: skip
OWN_PROPOSAL = ProblemKind(
    "own-proposal",
    403,
    "Own proposal",
    CLIENT,
    "Who proposes an action can't approve it; somebody else must.",
)
WRONG_TOKEN = ProblemKind(
    "wrong-rollback-token", 403, "Wrong rollback token", CLIENT,
    "Only the answer of apply holds the token with which an action can be undone.",
)  # fmt: skip
UNKNOWN_SOURCE = ProblemKind(
    "unknown-source", 404, "Unknown simulation or decision", CLIENT,
    "The ledger holds no decision, and no simulation of one action, with this id.",
)  # fmt: skip
UNKNOWN_RECEIPT = ProblemKind(
    "unknown-receipt", 404, "Unknown receipt", CLIENT, "The ledger holds no receipt with this id."
)
UNKNOWN_ACTION_TYPE = ProblemKind(
    "unknown-action-type", 404, "Unknown action type", CLIENT, "`/v1/actions/schemas` lists the ten types."
)
EXPIRED = ProblemKind(
    "source-expired",
    409,
    "Too old to be applied",
    CLIENT,
    "Simulate the action, or ask for a decision, again.",
)
ALREADY_APPLIED = ProblemKind(
    "already-applied", 409, "Applied before", CLIENT,
    "A simulation or decision is applied once; `receipt_id` names the receipt.",
)  # fmt: skip
REFUSED = ProblemKind(
    "action-refused", 409, "Action refused", CLIENT,
    "Policy, a holdout or the action's own checks stop it as things are now; `stopped_by` names each.",
)  # fmt: skip
APPROVALS_MISSING = ProblemKind(
    "approvals-missing", 409, "Approvals missing", CLIENT,
    "Actions of this blast radius need the approval of others: `POST /v1/actions/{id}/approve`.",
)  # fmt: skip
LEVEL_TOO_LOW = ProblemKind(
    "autonomy-level-too-low", 409, "Not far enough on the ladder of autonomy", CLIENT,
    "Below `one_click` an action is applied by a simulation only; in `shadow`, not at all; `level` says where it is.",
)  # fmt: skip
ACTOR_RESERVED = ProblemKind(
    "actor-reserved", 403, "No person asks", CLIENT,
    "Names that begin with `keepgrow:` are the product's own; a request bears that of a person.",
)  # fmt: skip
NOT_REVERSIBLE = ProblemKind(
    "not-reversible",
    409,
    "Not reversible",
    CLIENT,
    "The effect has left, or may have, and nothing undoes it.",
)
NOT_DRAFTED = ProblemKind(
    "action-not-drafted", 409, "The action can't be written out", CLIENT,
    "Something that the action says is not known of the account, or the catalogue lacks it.",
)  # fmt: skip
UNKNOWN_ACTION = ProblemKind(
    "unknown-action", 422, "Unknown action", CLIENT,
    "The catalogue has no such action, it is of another type, or the simulation or decision did not propose it.",
)  # fmt: skip

ACTION_KINDS: Final = (
    KEY_MISSING, ACTOR_MISSING, KEY_REUSED, OWN_PROPOSAL, WRONG_TOKEN, UNKNOWN_SOURCE, UNKNOWN_RECEIPT,
    UNKNOWN_ACTION_TYPE, EXPIRED, ALREADY_APPLIED, REFUSED, APPROVALS_MISSING, NOT_REVERSIBLE, NOT_DRAFTED,
    UNKNOWN_ACTION, LEVEL_TOO_LOW, ACTOR_RESERVED,
)  # fmt: skip
_KIND_OF: Final[dict[type[Exception], ProblemKind]] = {
    errors.KeyReused: KEY_REUSED,
    errors.OwnProposal: OWN_PROPOSAL,
    errors.WrongToken: WRONG_TOKEN,
    errors.UnknownSource: UNKNOWN_SOURCE,
    errors.UnknownReceipt: UNKNOWN_RECEIPT,
    errors.Expired: EXPIRED,
    errors.AlreadyApplied: ALREADY_APPLIED,
    errors.Refused: REFUSED,
    errors.ApprovalsMissing: APPROVALS_MISSING,
    errors.LevelTooLow: LEVEL_TOO_LOW,
    errors.NotReversible: NOT_REVERSIBLE,
    DraftError: NOT_DRAFTED,
    UnknownAction: UNKNOWN_ACTION,
}


def action_problem(error: Exception) -> tuple[ProblemKind, dict[str, Any]] | None:
    """Return the kind of problem that *error* is, and what the document says besides; None if it is no action's."""
    kind = _KIND_OF.get(type(error))
    if kind is None:
        return None
    members: dict[str, Any] = {}
    if isinstance(error, errors.AlreadyApplied):
        members["receipt_id"] = error.receipt_id
    elif isinstance(error, errors.Refused):
        members["stopped_by"] = [one.to_dict() for one in error.stopped_by]
    elif isinstance(error, errors.LevelTooLow):
        members |= {"action": error.action, "level": error.level, "level_needed": error.needed}
    elif isinstance(error, errors.ApprovalsMissing):
        members |= {"approvals_needed": error.needed, "approvals_given": list(error.given)}
    return kind, members
