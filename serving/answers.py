"""What the service can be asked, free of HTTP: scores, the next best action, the account card.

A question about one account shares its read of the store and its call of the graph with those that arrive at
the same moment; one about several accounts is cut into parts.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving import metrics
from serving.decisions.next_best_action import decide
from serving.errors import UnknownAccount
from serving.scoring.engine import Asked, finish, score_rows
from serving.scoring.exact import score_exactly

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle, Outputs
    from serving.decisions.decision import Decision
    from serving.features.rows import FeatureRows
    from serving.scoring.result import AccountScore
    from serving.state import ServingState

PART_ACCOUNTS = 64
"""Accounts of one request that are read, and then scored, at a time; a part keeps the event loop for 1 ms."""

PARTS_AHEAD = 3
"""Parts of one request that are read at the same time, so that the store does not wait for us."""

AGES_SAMPLED = 1 / 16
"""Share of reads whose feature ages are counted; the distribution is the same, and each costs 20 us."""

PROFILE = (
    "plan", "seats", "mrr", "is_trial", "segment", "industry", "region", "timezone", "locale", "employees",
    "account_age_days", "tenure_days", "days_to_term_end", "auto_renew", "onboarded", "preferred_channel",
    "seat_utilisation_ratio", "api_limit_utilisation_ratio", "storage_limit_utilisation_ratio",
    "adoption_ratio",
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
    _count(state, rows, results, now.timestamp())
    return [ScoredAccount(now, rows, index, result) for index, result in enumerate(results)]


async def score_account(state: ServingState, account_id: str, *, signals: bool = True) -> ScoredAccount:
    """Return the score of one account as of the service's time, with *signals* or for less without.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    return await (state.scoring if signals else state.bare_scoring).ask(account_id)


async def score_accounts(state: ServingState, account_ids: Sequence[str]) -> ScoredAccounts:
    """Return the scores of *account_ids* as of the service's time, with signals.

    Part by part is read, goes through the graph in a thread beside the event loop, and is told: the store, the
    graph and the event loop each work on another part at the same time, and requests for single accounts go on
    in between. Two such requests at most are worked on at once.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    results: list[AccountScore | UnknownAccount] = []
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
                    results += await _finish_part(state, graph.popleft())
                await asyncio.sleep(0)  # what is already there is awaited without letting others go
        finally:
            for reading in readings:
                reading.cancel()
            await asyncio.gather(*readings, return_exceptions=True)
    return ScoredAccounts(results)


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


async def _finish_part(state: ServingState, part: _Part) -> list[AccountScore | UnknownAccount]:
    if part.outputs is None:
        results = part.asked.answers([])
    else:
        outputs, seconds = await part.outputs
        started = time.perf_counter()
        results = finish(part.asked, outputs, state.bundle, part.now, state.clock.label)
        metrics.MODEL_SECONDS.observe(seconds + time.perf_counter() - started)
    _count(state, part.asked.rows, results, part.now.timestamp())
    return results


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
    _count(state, rows, results, now.timestamp())
    return ScoredAccounts(results)


async def next_best_action(state: ServingState, account_id: str, surface: str | None) -> Decision:
    """Return the one action worth taking now for an account, or why there is none.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
    """
    return _decide(state, await score_account(state, account_id, signals=False), surface)


async def account_card(state: ServingState, account_id: str) -> dict[str, Any]:
    """Return score, key profile and next best action of one account.

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
        "next_best_action": _decide(state, scored, None).to_dict(),
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


def _count(
    state: ServingState, rows: FeatureRows, results: Sequence[AccountScore | UnknownAccount], now: float
) -> None:
    known = [result.evidence.status for result in results if not isinstance(result, UnknownAccount)]
    for status in set(known):
        metrics.scores(status).inc(known.count(status))
    if random.random() < AGES_SAMPLED:
        _observe_ages(state, rows, now)


def _observe_ages(state: ServingState, rows: FeatureRows, now: float) -> None:
    if not rows.known.any():
        return
    oldest = rows.as_of[0] if len(rows.account_ids) == 1 else np.fmin.reduce(rows.as_of[rows.known])
    for view, as_of in zip(state.bundle.manifest.contract.views, oldest.tolist(), strict=True):
        if as_of == as_of:  # noqa: PLR0124 -- only NaN differs from itself
            metrics.feature_age(view.name).observe(max(0.0, now - as_of))
