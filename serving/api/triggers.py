"""`POST /v1/triggers/run` and `GET /v1/accounts/{account_id}/workflows`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from serving.api.messages import Request, Response, json_response
from serving.api.problems import OVERLOADED, TOO_MANY_ACCOUNTS, ProblemError, unknown_account
from serving.api.requests import check_account_id
from serving.api.trigger_requests import parse_run
from serving.triggers.records import read_workflows
from serving.triggers.runner import run_triggers

if TYPE_CHECKING:
    from serving.state import ServingState

MOST_RUNS: Final = 2
"""Runs that one worker has under way; each holds its place until all that it began is on record."""
PAST_DAYS: Final = 3660
"""How far back workflows are shown."""


async def run(state: ServingState, request: Request) -> Response:
    """Answer with what triggers did to the accounts that the request names, as they are now."""
    settings = state.settings
    body = await request.json(settings.max_body_bytes, settings.body_timeout_seconds)
    named = body.get("account_ids") if isinstance(body, dict) else None
    if isinstance(named, list) and len(named) > settings.max_accounts:
        raise ProblemError(
            TOO_MANY_ACCOUNTS,
            f"{len(named)} accounts were named; one request may name {settings.max_accounts}.",
        )
    wanted = parse_run(body)
    if state.trigger_runs >= MOST_RUNS:
        raise ProblemError(
            OVERLOADED,
            "The worker runs triggers for others.",
            headers=((b"retry-after", str(settings.retry_after_seconds).encode()),),
        )
    state.trigger_runs += 1
    try:
        done = await run_triggers(state, wanted.account_ids, dry=wanted.dry_run)
    finally:
        state.trigger_runs -= 1
    errors = [unknown_account(account_id).document() for account_id in done.unknown]
    return json_response({**done.to_dict(), "errors": errors})


async def workflows(state: ServingState, request: Request) -> Response:
    """Answer with the workflows of the account that the path names, newest first."""
    account_id = check_account_id(request.parameters["account_id"])
    now = state.clock.now()
    since = now - dt.timedelta(days=PAST_DAYS)
    found = await state.ledger.look(lambda transaction: read_workflows(transaction, [account_id], since))
    shown = [one.to_dict(now) for one in reversed(found.get(account_id, []))]
    return json_response({"account_id": account_id, "workflows": shown})
