"""The OpenAPI description of what is asked about accounts: scores, the next best action, the card and the brief."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.api import problems, responses
from serving.api.action_problems import UNKNOWN_SOURCE
from serving.api.brief_responses import BriefAnswer
from serving.api.card_responses import AccountCard
from serving.api.openapi_operation import (
    ACCOUNT,
    BODY_PROBLEMS,
    STORE_PROBLEMS,
    as_json,
    operation,
    path_parameter,
    query_parameter,
    ref,
)
from serving.api.requests import (
    EXPLAIN_EXACTLY,
    WITH_INTERVALS,
    WITH_TREND,
    NextBestActionRequest,
    ScoreManyRequest,
    ScoreOneRequest,
)
from serving.scoring.exact import METHOD, MOST_ACCOUNTS

if TYPE_CHECKING:
    from pydantic import BaseModel

ACCOUNT_SCHEMAS: Final[tuple[type[BaseModel], ...]] = (
    ScoreOneRequest, ScoreManyRequest, NextBestActionRequest, responses.ScoreAnswer, responses.ExplainedScoreAnswer,
    responses.ScoresAnswer, responses.DecisionAnswer, AccountCard, BriefAnswer,
)  # fmt: skip
EXPLAIN: Final = query_parameter(
    "explain",
    "`exact`: reasons are the account's own TreeSHAP values instead of looked-up ones, and "
    f"`signals.contributions` has every feature's; `signals.method` is then `{METHOD}`.",
    enum=[EXPLAIN_EXACTLY],
)
INTERVALS: Final = query_parameter(
    "intervals",
    f"`{WITH_INTERVALS}`: scores of several accounts come with the 90 % intervals that the score of "
    "one account always has, at the price of a longer wait.",
    enum=[WITH_INTERVALS],
)
TREND: Final = query_parameter(
    "trend",
    f"`{WITH_TREND}`: the answer about one account has `trend`, how its risk has changed over 30 days, by what the "
    "batch job (`keepgrow score --trend --push-trend`) brought last.",
    enum=[WITH_TREND],
)
FORMAT: Final = query_parameter(
    "format", "`json` or `html`; without it `Accept` decides, and JSON is the default.", enum=["json", "html"]
)
SHARED: Final = query_parameter(
    "simulation_id",
    "An earlier simulation of the account to show as well, such as one that waits for approval.",
    pattern="^[A-Za-z0-9_-]{1,100}$",
)


def account_paths() -> dict[str, Any]:
    """Return the paths of questions about an account."""
    return {
        "/v1/score": {
            "post": operation(
                "score", "accounts", "Score one account, or up to 500",
                "With `account_id` the answer is one score, with `account_ids` it is `scores` and `errors`. "
                "Stale or thin features are scored all the same; `evidence` says so. With `explain=exact` "
                f"up to {MOST_ACCOUNTS} accounts get exact reasons, each in one to some milliseconds.",
                as_json(
                    {
                        "anyOf": [
                            ref(responses.ScoreAnswer), ref(responses.ExplainedScoreAnswer),
                            ref(responses.ScoresAnswer),
                        ]
                    }
                ),
                (
                    *BODY_PROBLEMS, problems.TOO_MANY_ACCOUNTS, problems.INVALID_PARAMETER,
                    problems.EXACT_REASONS_UNAVAILABLE, *STORE_PROBLEMS,
                ),
                parameters=[EXPLAIN, INTERVALS, TREND],
                body={"oneOf": [ref(ScoreOneRequest), ref(ScoreManyRequest)]},
                examples={
                    "one": {"summary": "One account", "value": {"account_id": ACCOUNT}},
                    "several": {
                        "summary": "Several accounts", "value": {"account_ids": [ACCOUNT, "acme-0043"]},
                    },
                },
            )
        },
        "/v1/next-best-action": {
            "post": operation(
                "next_best_action", "accounts", "The one action worth taking now",
                "`action` is null when nothing is worth doing or allowed; `reason` then says why. Every "
                "action of the catalogue is the action, an alternative, or refused with its stage and rule.",
                as_json(ref(responses.DecisionAnswer)), (*BODY_PROBLEMS, *STORE_PROBLEMS, problems.LEDGER_UNAVAILABLE),
                body=ref(NextBestActionRequest),
                examples={
                    "hint": {
                        "summary": "An inline hint", "value": {"account_id": ACCOUNT, "surface": "in_app"},
                    }
                },
            )
        },
        "/v1/accounts/{account_id}": {
            "get": operation(
                "account_card", "accounts", "The account card",
                "Score with intervals, key profile, health trajectory, what is at stake in money and how long there "
                "is left to act, and the next best action of one account.",
                as_json(ref(AccountCard)),
                (
                    problems.MALFORMED_BODY, problems.INVALID_PARAMETER, *STORE_PROBLEMS, problems.LEDGER_UNAVAILABLE,
                ),
                parameters=[path_parameter("account_id", "The account, percent-encoded.", ACCOUNT), TREND],
            )
        },
        "/v1/accounts/{account_id}/brief": {
            "get": operation(
                "brief", "accounts", "What to read before acting on an account",
                "The account card with every action that stands, safest first: its effect with intervals, what would "
                "come of it, every check; what was refused and why, what was done before, and where all of it comes "
                "from. Each action is simulated on record, so that it can be applied by its `simulation_id`. As a "
                "page it has buttons to apply, approve and undo.",
                {**as_json(ref(BriefAnswer)), "text/html": {"schema": {"type": "string"}}},
                (
                    problems.MALFORMED_BODY, problems.INVALID_PARAMETER, *STORE_PROBLEMS, UNKNOWN_SOURCE,
                    problems.ERASED, problems.LEDGER_UNAVAILABLE,
                ),
                parameters=[
                    path_parameter("account_id", "The account, percent-encoded.", ACCOUNT), FORMAT, SHARED,
                ],
            )
        },
    }  # fmt: skip
