"""What the service can be asked about one account, free of HTTP: its score, the next best action, the account card.

A question shares its read of the store and its call of the graph with those that arrive at the same moment.
`many_accounts` answers for several accounts at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serving import metrics
from serving.deciding import decide_on_record
from serving.errors import UnknownAccount
from serving.reading import count_scores, read_features, statuses_of
from serving.scoring.engine import driver_of, score_rows
from serving.scoring.expansion import driver_shown
from serving.scoring.prospects import prospects
from serving.scoring.trend import trend_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from serving.features.rows import FeatureRows
    from serving.ledger.decisions import RecordedDecision
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
class Wanted:
    """What the graph is asked for besides probabilities; see `score_rows`."""

    signals: bool = False
    intervals: bool = False
    outlook: bool = False


SCORE: Final = Wanted(signals=True, intervals=True)
DECISION: Final = Wanted(outlook=True)
CARD: Final = Wanted(signals=True, intervals=True, outlook=True)


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
    state: ServingState, account_ids: Sequence[str], *, wanted: Wanted
) -> list[ScoredAccount]:
    """Return the scores of a few accounts, each for a request of its own, by one read and one call.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    rows = await read_features(state, account_ids)
    now = state.clock.now()
    started = time.perf_counter()
    results = score_rows(
        rows,
        state.bundle,
        now,
        state.clock.label,
        signals=wanted.signals,
        intervals=wanted.intervals,
        outlook=wanted.outlook,
    )
    metrics.MODEL_SECONDS.observe(time.perf_counter() - started, len(results))
    count_scores(state, rows, statuses_of(results), now.timestamp())
    return [ScoredAccount(now, rows, index, result) for index, result in enumerate(results)]


async def score_account(state: ServingState, account_id: str, wanted: Wanted = SCORE) -> ScoredAccount:
    """Return the score of one account as of the service's time: `SCORE`, or what a `DECISION` or a `CARD` needs.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    return await state.scoring[wanted].ask(account_id)


async def next_best_action(state: ServingState, account_id: str, surface: str | None) -> RecordedDecision:
    """Return the one action worth taking now for an account, or why there is none, once that is on record.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The decision could not be recorded in time.
    """
    return await decide_on_record(state, await score_account(state, account_id, DECISION), surface)


async def trend_shown(state: ServingState, score: AccountScore) -> dict[str, Any]:
    """Return how the risk of an account that has *score* has changed, as answers show it; see `trend_of`.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    earlier = await state.earlier_scores.of(score.account_id, state.settings.redis_timeout_seconds)
    return trend_of(score, earlier, state.bundle, state.clock.now())


async def account_card(state: ServingState, account_id: str, *, trend: bool = False) -> dict[str, Any]:
    """Return score, key profile, what lies ahead and is at stake, and the next best action; the trend if it is wanted.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The decision could not be recorded in time.
    """
    scored = await score_account(state, account_id, CARD)
    decided = await decide_on_record(state, scored, None)
    card = {**card_of(state, scored), "next_best_action": decided.to_dict()}
    return {**card, "trend": await trend_shown(state, scored.score)} if trend else card


def card_of(state: ServingState, scored: ScoredAccount) -> dict[str, Any]:
    """Return what an account card shows beside a decision, of an account that was scored for a `CARD`.

    Raises:
        UnknownAccount: The store holds nothing of it.
    """
    score, features = scored.score, state.frames.features(scored.rows, scored.index)
    driver = driver_of(score, state.bundle, scored.rows, scored.index)
    return {
        **score.to_dict(),
        "expansion_driver": driver_shown(driver),
        "profile": {name: features[name] for name in PROFILE if name in features},
        **prospects(state.bundle.manifest, score, features, state.catalogue.currency),
    }
