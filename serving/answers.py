"""What the service can be asked, free of HTTP: scores, the next best action, the account card.

Each question is one read of the store and one call of the graph, however many accounts it names.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving import metrics
from serving.decisions.next_best_action import decide
from serving.errors import UnknownAccount
from serving.scoring.engine import score_rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from serving.decisions.decision import Decision
    from serving.features.rows import FeatureRows
    from serving.scoring.result import AccountScore
    from serving.state import ServingState

AGES_SAMPLED = 1 / 16
"""Share of requests whose feature ages are counted; the distribution is the same, and each costs 20 us."""

PROFILE = (
    "plan", "seats", "mrr", "is_trial", "segment", "industry", "region", "timezone", "locale", "employees",
    "account_age_days", "tenure_days", "days_to_term_end", "auto_renew", "onboarded", "preferred_channel",
    "seat_utilisation_ratio", "api_limit_utilisation_ratio", "storage_limit_utilisation_ratio",
    "adoption_ratio",
    "open_tickets", "invoices_overdue", "incident_active", "has_active_subscription",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of the accounts that were asked for.

    Attributes:
        now: The time for which they hold.
        rows: What was read.
        results: For each account in turn its score, or that it is unknown.
    """

    now: dt.datetime
    rows: FeatureRows
    results: list[AccountScore | UnknownAccount]

    @property
    def known(self) -> list[AccountScore]:
        """The scores, in the order in which the accounts were asked for."""
        return [result for result in self.results if not isinstance(result, UnknownAccount)]

    @property
    def unknown(self) -> list[UnknownAccount]:
        """The accounts of which the store holds nothing."""
        return [result for result in self.results if isinstance(result, UnknownAccount)]

    @property
    def only(self) -> AccountScore:
        """The score of the one account that was asked for.

        Raises:
            UnknownAccount: The store holds nothing of it.
        """
        result = self.results[0]
        if isinstance(result, UnknownAccount):
            raise result
        return result


async def score_accounts(state: ServingState, account_ids: Sequence[str], *, signals: bool = True) -> Scored:
    """Return the scores of *account_ids* as of the service's time, with *signals* or for less without.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    rows = await _read(state, account_ids)
    now = state.clock.now()
    started = time.perf_counter()
    results = score_rows(rows, state.bundle, now, state.clock.label, signals=signals)
    metrics.MODEL_SECONDS.observe(time.perf_counter() - started)
    scored = Scored(now=now, rows=rows, results=results)
    if len(results) == 1:
        if not isinstance(results[0], UnknownAccount):
            metrics.scores(results[0].evidence.status).inc()
    else:
        for status, count in Counter(score.evidence.status for score in scored.known).items():
            metrics.scores(status).inc(count)
    if random.random() < AGES_SAMPLED:
        _observe_ages(state, rows, now.timestamp())
    return scored


async def next_best_action(state: ServingState, account_id: str, surface: str | None) -> Decision:
    """Return the one action worth taking now for an account, or why there is none.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
    """
    return _decide(state, await score_accounts(state, (account_id,), signals=False), surface)


async def account_card(state: ServingState, account_id: str) -> dict[str, Any]:
    """Return score, key profile and next best action of one account.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
    """
    scored = await score_accounts(state, (account_id,))
    score = scored.only
    features = state.frames.features(scored.rows, 0)
    return {
        **score.to_dict(),
        "profile": {name: features[name] for name in PROFILE if name in features},
        "next_best_action": _decide(state, scored, None).to_dict(),
    }


def _decide(state: ServingState, scored: Scored, surface: str | None) -> Decision:
    frame = state.frames.frame(scored.rows, 0, scored.only, now=scored.now, surface=surface)
    decision = decide(frame, state.catalogue)
    metrics.decisions("action" if decision.winner else "nothing").inc()
    return decision


async def _read(state: ServingState, account_ids: Sequence[str]) -> FeatureRows:
    started = time.perf_counter()
    outcome = "unavailable"
    try:
        rows = await state.reader.read(account_ids, state.settings.redis_timeout_seconds)
        outcome = "ok"
    finally:
        metrics.store_seconds(outcome).observe(time.perf_counter() - started)
    return rows


def _observe_ages(state: ServingState, rows: FeatureRows, now: float) -> None:
    if not rows.known.any():
        return
    oldest = rows.as_of[0] if len(rows.account_ids) == 1 else np.fmin.reduce(rows.as_of[rows.known])
    for view, as_of in zip(state.bundle.manifest.contract.views, oldest.tolist(), strict=True):
        if as_of == as_of:  # noqa: PLR0124 -- only NaN differs from itself
            metrics.feature_age(view.name).observe(max(0.0, now - as_of))
