"""What the service can be asked about one account, free of HTTP: its score, the next best action, the account card.

A question shares its read of the store and its call of the graph with those that arrive at the same moment.
`many_accounts` answers for several accounts at once.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving import metrics
from serving.decisions.next_best_action import decide
from serving.errors import UnknownAccount
from serving.reading import count_scores, read_features, statuses_of
from serving.scoring.engine import score_rows
from serving.scoring.money import revenue_at_risk
from serving.scoring.window import intervention_window

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from serving.decisions.decision import Decision
    from serving.features.rows import ContextValue, FeatureRows
    from serving.scoring.result import AccountScore
    from serving.state import ServingState

PROFILE = (
    "plan", "seats", "mrr", "is_trial", "segment", "industry", "region", "timezone", "locale", "employees",
    "account_age_days", "tenure_days", "days_to_term_end", "auto_renew", "onboarded", "preferred_channel",
    "seat_utilisation_ratio", "api_limit_utilisation_ratio", "storage_limit_utilisation_ratio",
    "adoption_ratio", "health_score", "health_score_28d_change",
    "open_tickets", "invoices_overdue", "incident_active", "has_active_subscription",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoredAccount:
    """The score of one account, and what it was made from.

    Attributes:
        now: The time for which it holds.
        rows: What was read, of this account and of others.
        index: Its place in `rows`.
        result: Its score, or that it is unknown.
    """

    now: dt.datetime
    rows: FeatureRows
    index: int
    result: AccountScore | UnknownAccount

    @property
    def score(self) -> AccountScore:
        """The score.

        Raises:
            UnknownAccount: The store holds nothing of the account.
        """
        if isinstance(self.result, UnknownAccount):
            raise self.result
        return self.result


async def score_together(
    state: ServingState, account_ids: Sequence[str], *, signals: bool
) -> list[ScoredAccount]:
    """Return the scores of a few accounts, each for a request of its own, by one read and one call.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    rows = await read_features(state, account_ids)
    now = state.clock.now()
    started = time.perf_counter()
    results = score_rows(rows, state.bundle, now, state.clock.label, signals=signals)
    metrics.MODEL_SECONDS.observe(time.perf_counter() - started, len(results))
    count_scores(state, rows, statuses_of(results), now.timestamp())
    return [ScoredAccount(now, rows, index, result) for index, result in enumerate(results)]


async def score_account(state: ServingState, account_id: str, *, signals: bool = True) -> ScoredAccount:
    """Return the score of one account as of the service's time, with *signals* or for less without.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    return await (state.scoring if signals else state.bare_scoring).ask(account_id)


async def next_best_action(state: ServingState, account_id: str, surface: str | None) -> Decision:
    """Return the one action worth taking now for an account, or why there is none.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
    """
    return _decide(state, await score_account(state, account_id, signals=False), surface)


async def account_card(state: ServingState, account_id: str) -> dict[str, Any]:
    """Return score, key profile, what is at stake, how long there is to act, and the next best action.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
    """
    scored = await score_account(state, account_id)
    score = scored.score
    features = state.frames.features(scored.rows, scored.index)
    return {
        **score.to_dict(),
        "profile": {name: features[name] for name in PROFILE if name in features},
        **_at_stake(state, score, features),
        "next_best_action": _decide(state, scored, None).to_dict(),
    }


def _at_stake(
    state: ServingState, score: AccountScore, features: Mapping[str, ContextValue]
) -> dict[str, Any]:
    """Return revenue at risk within the scored horizon, and the window for an intervention."""
    manifest = state.bundle.manifest
    churn = list(score.churn_probability.values())
    mrr, days = features.get("mrr"), features.get("days_to_term_end")
    stake = revenue_at_risk(
        mrr if isinstance(mrr, int | float) else None,
        score.churn_probability[f"{manifest.score_horizon_days}d"],
    )
    window = intervention_window(
        churn[0], churn[-1], days_to_term_end=days if isinstance(days, int | float) else math.nan
    )
    return {
        "revenue_at_risk": {
            "amount": None if stake is None else round(stake, 2),
            "currency": state.catalogue.currency,
        },
        "intervention_window": window,
    }


def _decide(state: ServingState, scored: ScoredAccount, surface: str | None) -> Decision:
    frame = state.frames.frame(scored.rows, scored.index, scored.score, now=scored.now, surface=surface)
    decision = decide(frame, state.catalogue, state.policy)
    metrics.decisions("action" if decision.winner else "nothing").inc()
    return decision
