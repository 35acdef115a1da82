"""`GET /v1/accounts/{account_id}/brief`: all that a person should read before acting, as JSON or as a page."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl

from serving.actions.errors import UnknownSource
from serving.api.messages import Request, Response, json_response
from serving.api.problems import INVALID_PARAMETER, ProblemError
from serving.api.requests import check_account_id
from serving.brief.on_record import brief_on_record
from serving.brief.page import render_page

if TYPE_CHECKING:
    from serving.state import ServingState

Format = Literal["json", "html"]
HTML: Final = b"text/html; charset=utf-8"
NEVER_KEPT: Final = (b"cache-control", b"no-store")
_QUALITY: Final = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")
_RECORD_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NONCE_BYTES: Final = 18


async def get(state: ServingState, request: Request) -> Response:
    """Answer with the brief of the account that the path names."""
    account_id = check_account_id(request.parameters["account_id"])
    form = wanted_format(request.query, request.headers.get(b"accept", b""))
    brief = await brief_on_record(state, account_id, shared_simulation(request.query))
    if form == "json":
        answer = json_response(brief)
        answer.headers = ((b"vary", b"Accept"), NEVER_KEPT)
        return answer
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    loop = asyncio.get_running_loop()
    page = await loop.run_in_executor(state.threads, render_page, brief, nonce)  # milliseconds; others go on
    return Response(page, content_type=HTML, headers=((b"vary", b"Accept"), *page_headers(nonce)))


def page_headers(nonce: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of a page: it runs its own script only, asks this service only, and stands in no frame."""
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return (
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        NEVER_KEPT,
    )


def shared_simulation(query: bytes) -> str | None:
    """Return the id of the simulation that a request asks for besides, or None.

    Raises:
        UnknownSource: No simulation can have the id.
    """
    given = [value for name, value in parse_qsl(query.decode("latin-1"), True) if name == "simulation_id"]
    if not given:
        return None
    if not _RECORD_ID.fullmatch(given[-1]):
        raise UnknownSource("the ledger has no simulation with this id")
    return given[-1]


def wanted_format(query: bytes, accept: bytes) -> Format:
    """Return the form that a request asks for: by `format`, else by its `Accept`, else JSON.

    Raises:
        ProblemError: `format` is neither `json` nor `html`.
    """
    given = {value for name, value in parse_qsl(query.decode("latin-1"), True) if name == "format"}
    if given - {"json", "html"} or len(given) > 1:
        raise ProblemError(
            INVALID_PARAMETER,
            "`format` may be `json` or `html`; leave it out for what `Accept` asks for.",
            members={"errors": [{"parameter": "format", "detail": "should be `json` or `html`"}]},
        )
    if given:
        return "html" if "html" in given else "json"
    return "html" if _quality(accept, "text/html") > _quality(accept, "application/json") else "json"


def _quality(accept: bytes, media_type: str) -> float:
    """Return how much an `Accept` wants *media_type*, by the most precise range that holds it (RFC 9110, 12.5.1)."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    found: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        name, _, parameters = part.partition(";")
        quality = _QUALITY.search(parameters.replace(" ", ""))
        found[name.strip()] = float(quality[1]) if quality else 1.0
    return next((found[name] for name in ranges if name in found), 0.0)
