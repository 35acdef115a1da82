"""What is asked for: requests encoded ahead of the measurement, each with what its answer must hold."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["score", "score_many", "next_best_action", "ordinary", "fastapi", "feast_server", "constant"]
Body = dict[str, object]
FEATURE_SERVICE: Final = "keepgrow_v1"
ACCOUNTS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Shot:
    """One request and the marks of a right answer.

    Attributes:
        request: Its bytes on the wire.
        expected: Bytes that all stand in the body of a right answer, among them the account's id in quotes.
    """

    request: bytes
    expected: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """How one kind of request is asked and answered."""

    path: str
    body: Callable[[list[str]], Body]
    mark: bytes
    accounts: int = 1


def _one(ids: list[str]) -> Body:
    return {"account_id": ids[0]}


_FORMS: Final[dict[Kind, _Form]] = {
    "score": _Form("/v1/score", _one, b"churn_probability"),
    "score_many": _Form(
        "/v1/score", lambda ids: {"account_ids": ids}, b"churn_probability", ACCOUNTS_AT_ONCE
    ),
    "next_best_action": _Form(
        "/v1/next-best-action", lambda ids: {**_one(ids), "surface": "in_app"}, b"reason"
    ),
    "ordinary": _Form("/score", _one, b"churn_probability"),
    "fastapi": _Form("/score", _one, b"churn_probability"),
    "feast_server": _Form(
        "/get-online-features",
        lambda ids: {"feature_service": FEATURE_SERVICE, "entities": {"account_id": ids}},
        b"PRESENT",
    ),
    "constant": _Form("/v1/score", _one, b"constant"),
}


def encode(path: str, body: Body) -> bytes:
    """Return a POST of *body* as JSON, as it goes over the wire on a connection that is kept open."""
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def make_shots(kind: Kind, accounts: Sequence[str], count: int, seed: int) -> list[Shot]:
    """Return *count* different requests on accounts drawn evenly.

    Args:
        kind: What to ask, and of which server.
        accounts: Ids to draw from.
        count: How many requests; a caller goes round them.
        seed: Of the draw.

    Raises:
        ValueError: There are fewer accounts than one request names.
    """
    form = _FORMS[kind]
    if len(accounts) < form.accounts:
        raise ValueError(f"a {kind} request names {form.accounts} accounts; there are {len(accounts)}")
    draw = random.Random(seed)
    shots = []
    for _ in range(count):
        ids = draw.sample(accounts, form.accounts)
        marks = (form.mark,) if kind == "constant" else (form.mark, *_quoted(ids[0], ids[-1]))
        shots.append(Shot(encode(form.path, form.body(ids)), marks))
    return shots


def _quoted(*ids: str) -> tuple[bytes, ...]:
    return tuple(json.dumps(account).encode() for account in dict.fromkeys(ids))
