"""RFC 9457 problem documents: each kind of failure has a stable `type`; one function maps errors to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.api.action_problems import ACTION_KINDS, action_problem
from serving.api.problem_kind import ProblemKind
from serving.errors import (
    EntryErased,
    ExactReasonsUnavailable,
    LedgerUnavailable,
    StoreUnavailable,
    UnknownAccount,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN_ACCOUNT = ProblemKind(
    "unknown-account", 404, "Unknown account", "unknown_account",
    "The online store holds no features of this account. Ids are compared byte for byte.",
)  # fmt: skip
UNKNOWN_DECISION = ProblemKind(
    "unknown-decision", 404, "Unknown decision", "client_error",
    "The ledger holds no decision with this id.",
)  # fmt: skip
ERASED = ProblemKind(
    "erased", 410, "Erased", "client_error",
    "The record was there; its content was erased for its account, or when its time was over.",
)  # fmt: skip
OUTCOME_CONFLICT = ProblemKind(
    "outcome-conflict", 409, "Another outcome has this id", "client_error",
    "An `outcome_id` may be sent again with the same content only.",
)  # fmt: skip
UNKNOWN_PATH = ProblemKind(
    "unknown-path", 404, "No such path", "client_error", "`/openapi.json` lists every path."
)
UNKNOWN_MODEL = ProblemKind(
    "unknown-model", 404, "Unknown model", "client_error", "`/v1/models` lists the models that are served."
)
METHOD_NOT_ALLOWED = ProblemKind(
    "method-not-allowed",
    405,
    "Method not allowed",
    "client_error",
    "`Allow` says which methods the path has.",
)
BODY_TOO_SLOW = ProblemKind(
    "body-too-slow", 408, "Body too slow", "client_error", "The body did not arrive in time."
)
BODY_TOO_LARGE = ProblemKind(
    "body-too-large", 413, "Body too large", "client_error", "Send fewer accounts a request."
)
TOO_MANY_ACCOUNTS = ProblemKind(
    "too-many-accounts", 413, "Too many accounts", "client_error", "Split the accounts over several requests."
)
UNSUPPORTED_MEDIA_TYPE = ProblemKind(
    "unsupported-media-type", 415, "Unsupported media type", "client_error", "Bodies are `application/json`."
)
MALFORMED_BODY = ProblemKind(
    "malformed-body", 422, "Malformed body", "client_error",
    "The body is not JSON, or not of the documented form; `errors` points at each place.",
)  # fmt: skip
INVALID_PARAMETER = ProblemKind(
    "invalid-parameter", 422, "Invalid query parameter", "client_error",
    "A parameter of the query has a value that it can't have; `errors` names it.",
)  # fmt: skip
EXACT_REASONS_UNAVAILABLE = ProblemKind(
    "exact-reasons-unavailable", 501, "No exact reasons", "client_error",
    "The bundle that is served lacks what they are computed from. Train a new one, or leave `explain` out.",
)  # fmt: skip
INTERNAL_ERROR = ProblemKind(
    "internal-error", 500, "Internal error", "server_error",
    "A fault of the service. Its log holds the details under the answer's `request_id`.",
)  # fmt: skip
STORE_UNAVAILABLE = ProblemKind(
    "store-unavailable", 503, "Online store unavailable", "store_unavailable",
    "The online store did not answer in time. Try again after `Retry-After` seconds.",
)  # fmt: skip
LEDGER_UNAVAILABLE = ProblemKind(
    "ledger-unavailable", 503, "Ledger unavailable", "ledger_unavailable",
    "What has to be on record could not be recorded in time, so it was not done. Scores go on. Try again after "
    "`Retry-After` seconds.",
)  # fmt: skip
OVERLOADED = ProblemKind(
    "overloaded", 503, "Too many requests in flight", "overloaded",
    "Too many are being worked on or waiting, or this one waited too long. Try again after `Retry-After` seconds.",
)  # fmt: skip
NOT_READY = ProblemKind(
    "not-ready", 503, "Not ready", "not_ready", "The service is starting, or can't reach its store."
)

KINDS: tuple[ProblemKind, ...] = (
    UNKNOWN_ACCOUNT, UNKNOWN_PATH, UNKNOWN_MODEL, METHOD_NOT_ALLOWED, BODY_TOO_SLOW, BODY_TOO_LARGE,
    TOO_MANY_ACCOUNTS, UNSUPPORTED_MEDIA_TYPE, MALFORMED_BODY, INVALID_PARAMETER, EXACT_REASONS_UNAVAILABLE,
    UNKNOWN_DECISION, ERASED, OUTCOME_CONFLICT, INTERNAL_ERROR, STORE_UNAVAILABLE, LEDGER_UNAVAILABLE, OVERLOADED,
    NOT_READY, *ACTION_KINDS,
)  # fmt: skip


class ProblemError(Exception):
    """A request that ends in a problem document."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        members: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = tuple(headers)
        self.members = members or {}

    def document(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the problem document."""
        document = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            **self.members,
        }
        if request_id is not None:
            document["request_id"] = request_id
        return document


def problem_of(error: Exception, retry_after_seconds: int) -> ProblemError:
    """Return the problem that *error* is to a client; what is not foreseen says nothing of our insides."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, UnknownAccount):
        return unknown_account(error.account_id)
    for cause, kind, detail in _FORESEEN:
        if isinstance(error, cause):
            again = ((b"retry-after", str(retry_after_seconds).encode()),)
            return ProblemError(kind, detail, headers=again if kind.status == OVERLOADED.status else ())
    found = action_problem(error)
    if found is not None:
        return ProblemError(found[0], _sentence(str(error)), members=found[1])
    return ProblemError(INTERNAL_ERROR, "The service failed on this request.")


_FORESEEN: tuple[tuple[type[Exception], ProblemKind, str], ...] = (
    (StoreUnavailable, STORE_UNAVAILABLE, "The online store did not answer in time."),
    (LedgerUnavailable, LEDGER_UNAVAILABLE, "The ledger did not answer in time."),
    (EntryErased, ERASED, "The content of this record was erased."),
    (
        ExactReasonsUnavailable, EXACT_REASONS_UNAVAILABLE,
        "The bundle that is served lacks what exact reasons are computed from.",
    ),
)  # fmt: skip
"""What a client is told of errors that say nothing more."""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def unknown_account(account_id: str) -> ProblemError:
    """Return the problem of an account of which nothing is known."""
    return ProblemError(
        UNKNOWN_ACCOUNT,
        "No features are known of this account.",
        members={"account_id": account_id},
    )


def overloaded(retry_after_seconds: int, *headers: tuple[bytes, bytes]) -> ProblemError:
    """Return the problem of a request that came while too many were in flight."""
    return ProblemError(
        OVERLOADED,
        "The worker is at its limit of requests in flight.",
        headers=((b"retry-after", str(retry_after_seconds).encode()), *headers),
    )


def not_started() -> ProblemError:
    """Return the problem of a request that came before the process had loaded its bundle."""
    return ProblemError(NOT_READY, "The service is starting.", headers=((b"retry-after", b"1"),))
