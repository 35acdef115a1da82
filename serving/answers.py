"""What the service can be asked, free of HTTP: scores, the next best action, the account card.

A question about one account shares its read of the store and its call of the graph with those that arrive at
the same moment; one about several accounts is cut into parts.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from serving import metrics
from serving.decisions.next_best_action import decide
from serving.errors import UnknownAccount
from serving.scoring.engine import Asked, finish, score_rows
from serving.scoring.exact import score_exactly
from serving.scoring.money import revenue_at_risk
from serving.scoring.window import intervention_window
from serving.scoring.written import nothing_written, write

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle, Outputs
    from serving.decisions.decision import Decision
    from serving.features.rows import ContextValue, FeatureRows
    from serving.scoring.evidence import EvidenceStatus
    from serving.scoring.result import AccountScore
    from serving.state import ServingState

    _Tell: TypeAlias = Callable[[Asked, Outputs | None, dt.datetime], list[EvidenceStatus]]

PART_ACCOUNTS = 84
"""Accounts of one request that are read, and then scored, at a time; a part keeps the event loop for 1 ms twice."""

PARTS_AHEAD = 2
"""Parts of one request that are read at the same time, so that the store does not wait for us."""

AGES_SAMPLED = 1 / 16
"""Share of reads whose feature ages are counted; the distribution is the same, and each costs 20 us."""

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


@dataclass(frozen=True, slots=True)
class ScoredAccounts:
    """The scores of several accounts.

    Attributes:
        results: For each account in turn its score, or that it is unknown.
    """

    results: Sequence[AccountScore | UnknownAccount]

    @property
    def known(self) -> list[AccountScore]:
        """The scores, in the order in which the accounts were asked for."""
        return [result for result in self.results if not isinstance(result, UnknownAccount)]

    @property
    def unknown(self) -> list[UnknownAccount]:
        """The accounts of which the store holds nothing."""
        return [result for result in self.results if isinstance(result, UnknownAccount)]


@dataclass(frozen=True, slots=True)
class WrittenScores:
    """The scores of several accounts, as JSON.

    Attributes:
        scores: A JSON array of the known accounts' scores, in the order in which they were asked for.
        unknown: The accounts of which the store holds nothing.
    """

    scores: bytes
    unknown: Sequence[UnknownAccount]


async def score_together(
    state: ServingState, account_ids: Sequence[str], *, signals: bool
) -> list[ScoredAccount]:
    """Return the scores of a few accounts, each for a request of its own, by one read and one call.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    rows = await _read(state, account_ids)
    now = state.clock.now()
    started = time.perf_counter()
    results = score_rows(rows, state.bundle, now, state.clock.label, signals=signals)
    metrics.MODEL_SECONDS.observe(time.perf_counter() - started, len(results))
    _count(state, rows, _statuses(results), now.timestamp())
    return [ScoredAccount(now, rows, index, result) for index, result in enumerate(results)]


async def score_account(state: ServingState, account_id: str, *, signals: bool = True) -> ScoredAccount:
    """Return the score of one account as of the service's time, with *signals* or for less without.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    return await (state.scoring if signals else state.bare_scoring).ask(account_id)


async def score_accounts(state: ServingState, account_ids: Sequence[str]) -> ScoredAccounts:
    """Return the scores of *account_ids* as of the service's time, with signals; see `write_scores`.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    results: list[AccountScore | UnknownAccount] = []

    def tell(asked: Asked, outputs: Outputs | None, now: dt.datetime) -> list[EvidenceStatus]:
        told = (
            asked.answers([])
            if outputs is None
            else finish(asked, outputs, state.bundle, now, state.clock.label)
        )
        results.extend(told)
        return _statuses(told)

    await _by_parts(state, account_ids, tell)
    return ScoredAccounts(results)


async def write_scores(state: ServingState, account_ids: Sequence[str]) -> WrittenScores:
    """Return the scores of *account_ids* as of the service's time, with signals, as JSON.

    Telling the graph's answers so takes a third of the time of objects that are then made into JSON.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    scores: list[bytes] = []
    unknown: list[UnknownAccount] = []

    def tell(asked: Asked, outputs: Outputs | None, now: dt.datetime) -> list[EvidenceStatus]:
        written = (
            nothing_written(asked)
            if outputs is None
            else write(asked, outputs, state.bundle, now, state.clock.label)
        )
        scores.append(written.scores)
        unknown.extend(map(UnknownAccount, written.unknown))
        return written.statuses

    await _by_parts(state, account_ids, tell)
    return WrittenScores(b"[" + b",".join(filter(None, scores)) + b"]", unknown)


async def _by_parts(state: ServingState, account_ids: Sequence[str], tell: _Tell) -> None:
    """Read *account_ids*, ask the graph about them and *tell* its answers, in order.

    Part by part is read, goes through the graph in a thread beside the event loop, and is told: the store, the
    graph and the event loop each work on another part at the same time, and requests for single accounts go on
    in between. Two such requests at most are worked on at once.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    parts = (
        account_ids[start : start + PART_ACCOUNTS] for start in range(0, len(account_ids), PART_ACCOUNTS)
    )
    async with state.bulk_limit:
        readings = deque(
            asyncio.create_task(_read(state, part)) for part in itertools.islice(parts, PARTS_AHEAD)
        )
        graph: deque[_Part] = deque()
        try:
            while readings or graph:
                if readings:
                    rows = await readings[0]
                    readings.popleft()
                    readings.extend(
                        asyncio.create_task(_read(state, part)) for part in itertools.islice(parts, 1)
                    )
                    graph.append(_begin_part(state, rows))
                if len(graph) > 1 or not readings:
                    await _finish_part(state, graph.popleft(), tell)
                await asyncio.sleep(0)  # what is already there is awaited without letting others go
        finally:
            for reading in readings:
                reading.cancel()
            await asyncio.gather(*readings, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a request that is in the graph: what it was asked, when, and what it and its seconds will be."""

    asked: Asked
    now: dt.datetime
    outputs: asyncio.Future[tuple[Outputs, float]] | None


def _begin_part(state: ServingState, rows: FeatureRows) -> _Part:
    asked = Asked.of(rows)
    outputs = (
        asyncio.get_running_loop().run_in_executor(state.threads, _timed_run, state.bundle, asked.matrix)
        if asked.known
        else None
    )
    return _Part(asked, state.clock.now(), outputs)


def _timed_run(bundle: Bundle, matrix: NDArray[np.float64]) -> tuple[Outputs, float]:
    started = time.perf_counter()
    return bundle.run_explained(matrix), time.perf_counter() - started


async def _finish_part(state: ServingState, part: _Part, tell: _Tell) -> None:
    if part.outputs is None:
        statuses = tell(part.asked, None, part.now)
    else:
        outputs, seconds = await part.outputs
        started = time.perf_counter()
        statuses = tell(part.asked, outputs, part.now)
        metrics.MODEL_SECONDS.observe(seconds + time.perf_counter() - started)
    _count(state, part.asked.rows, statuses, part.now.timestamp())


async def explain_accounts(state: ServingState, account_ids: Sequence[str]) -> ScoredAccounts:
    """Return the scores of a few accounts with exact reasons, made in a thread beside the event loop.

    Raises:
        StoreUnavailable: The store did not answer in time.
        ExactReasonsUnavailable: The bundle lacks what they are computed from.
    """
    async with state.bulk_limit:
        rows = await _read(state, account_ids)
        now = state.clock.now()
        started = time.perf_counter()
        results = await asyncio.get_running_loop().run_in_executor(
            state.threads, score_exactly, rows, state.bundle, now, state.clock.label
        )
    metrics.EXACT_REASONS_SECONDS.observe(time.perf_counter() - started)
    _count(state, rows, _statuses(results), now.timestamp())
    return ScoredAccounts(results)


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


async def _read(state: ServingState, account_ids: Sequence[str]) -> FeatureRows:
    started = time.perf_counter()
    outcome = "unavailable"
    try:
        rows = await state.reader.read(account_ids, state.settings.redis_timeout_seconds)
        outcome = "ok"
    finally:
        metrics.store_seconds(outcome).observe(time.perf_counter() - started)
    return rows


def _statuses(results: Sequence[AccountScore | UnknownAccount]) -> list[EvidenceStatus]:
    return [result.evidence.status for result in results if not isinstance(result, UnknownAccount)]


def _count(state: ServingState, rows: FeatureRows, statuses: list[EvidenceStatus], now: float) -> None:
    for status in set(statuses):
        metrics.scores(status).inc(statuses.count(status))
    if random.random() < AGES_SAMPLED:
        _observe_ages(state, rows, now)


def _observe_ages(state: ServingState, rows: FeatureRows, now: float) -> None:
    if not rows.known.any():
        return
    oldest = rows.as_of[0] if len(rows.account_ids) == 1 else np.fmin.reduce(rows.as_of[rows.known])
    for view, as_of in zip(state.bundle.manifest.contract.views, oldest.tolist(), strict=True):
        if as_of == as_of:  # noqa: PLR0124 -- only NaN differs from itself
            metrics.feature_age(view.name).observe(max(0.0, now - as_of))
