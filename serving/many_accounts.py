"""Scores of many accounts in one request: cut into parts, so that single accounts are answered in between."""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from serving import metrics
from serving.errors import UnknownAccount
from serving.reading import count_scores, read_features, statuses_of
from serving.scoring.engine import Asked, any_left, finish
from serving.scoring.exact import score_exactly
from serving.scoring.written import nothing_written, write

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle, Outputs
    from serving.scoring.evidence import EvidenceStatus
    from serving.scoring.result import AccountScore
    from serving.state import ServingState

    _Tell: TypeAlias = Callable[[Asked, Outputs | None, dt.datetime], list[EvidenceStatus]]

PART_ACCOUNTS = 200
"""Accounts of one request that are read, and then scored, at a time; a part keeps the event loop for 1 ms twice."""

FIRST_ACCOUNTS = 100
"""The same of its first part: it is there sooner, so that graph and event loop have work sooner."""

PARTS_AHEAD = 3
"""Parts of one request that are under way at the same time: all of 500 accounts, so that the store, which takes as
long as the event loop does, never waits for us."""


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
        scores: A JSON array of the known accounts' scores, in the order in which they were asked for, in pieces.
        unknown: The accounts of which the store holds nothing.
    """

    scores: Sequence[bytes]
    unknown: Sequence[UnknownAccount]


async def score_accounts(
    state: ServingState, account_ids: Sequence[str], *, intervals: bool = False
) -> ScoredAccounts:
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
        return statuses_of(told)

    await _by_parts(state, account_ids, tell, intervals=intervals)
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
        if written.pieces:
            if not scores:
                written.pieces[0] = written.pieces[0][1:]  # no comma stands before the first
            scores.append(b"".join(written.pieces))  # at once, while they are in the processor's cache
        unknown.extend(map(UnknownAccount, written.unknown))
        return written.statuses

    await _by_parts(state, account_ids, tell)
    return WrittenScores([b"[", *scores, b"]"], unknown)


async def _by_parts(
    state: ServingState, account_ids: Sequence[str], tell: _Tell, *, intervals: bool = False
) -> None:
    """Read *account_ids*, ask the graph about them and *tell* its answers, in order.

    Part by part is read, goes through the graph in a thread beside the event loop, and is told: the store, the
    graph and the event loop each work on another part at the same time, and requests for single accounts go on
    in between. Two such requests at most are worked on at once.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    parts = _parts(account_ids)

    def begin(count: int) -> list[asyncio.Task[_Part]]:
        return [
            asyncio.create_task(_ask_part(state, part, intervals=intervals))
            for part in itertools.islice(parts, count)
        ]

    async with state.bulk_limit:
        under_way = deque(begin(PARTS_AHEAD))
        try:
            while under_way:
                part = await under_way[0]
                under_way.popleft()
                under_way.extend(begin(1))
                _tell_part(state, part, tell)
                await asyncio.sleep(0)  # what is already there is awaited without letting others go
        finally:
            for one in under_way:
                one.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


def _parts(account_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    if len(account_ids) <= PART_ACCOUNTS:
        yield account_ids
        return
    yield account_ids[:FIRST_ACCOUNTS]
    for start in range(FIRST_ACCOUNTS, len(account_ids), PART_ACCOUNTS):
        yield account_ids[start : start + PART_ACCOUNTS]


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a request that has been through the graph: what was asked, when, what it said, and how long it took."""

    asked: Asked
    now: dt.datetime
    outputs: Outputs | None
    seconds: float


async def _ask_part(state: ServingState, account_ids: Sequence[str], *, intervals: bool) -> _Part:
    asked = Asked.of(await read_features(state, account_ids))
    now = state.clock.now()
    if not asked.known:
        return _Part(asked, now, None, 0.0)
    outputs, seconds = await asyncio.get_running_loop().run_in_executor(
        state.threads, _timed_run, state.bundle, asked.matrix, intervals
    )
    return _Part(asked, now, outputs, seconds)


def _timed_run(bundle: Bundle, matrix: NDArray[np.float64], intervals: bool) -> tuple[Outputs, float]:
    started = time.perf_counter()
    outputs = bundle.run(matrix, contributions=True, intervals=intervals, departed=any_left(bundle, matrix))
    return outputs, time.perf_counter() - started


def _tell_part(state: ServingState, part: _Part, tell: _Tell) -> None:
    started = time.perf_counter()
    statuses = tell(part.asked, part.outputs, part.now)
    if part.outputs is not None:
        metrics.MODEL_SECONDS.observe(part.seconds + time.perf_counter() - started)
    count_scores(state, part.asked.rows, statuses, part.now.timestamp())


async def explain_accounts(
    state: ServingState, account_ids: Sequence[str], *, intervals: bool = False
) -> ScoredAccounts:
    """Return the scores of a few accounts with exact reasons, made in a thread beside the event loop.

    Raises:
        StoreUnavailable: The store did not answer in time.
        ExactReasonsUnavailable: The bundle lacks what they are computed from.
    """
    async with state.bulk_limit:
        rows = await read_features(state, account_ids)
        now = state.clock.now()
        started = time.perf_counter()
        explain = functools.partial(score_exactly, intervals=intervals)
        results = await asyncio.get_running_loop().run_in_executor(
            state.threads, explain, rows, state.bundle, now, state.clock.label
        )
    metrics.EXACT_REASONS_SECONDS.observe(time.perf_counter() - started)
    count_scores(state, rows, statuses_of(results), now.timestamp())
    return ScoredAccounts(results)
