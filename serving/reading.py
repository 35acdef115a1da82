"""Reads the features that a question is about, and counts reads, scores and ages."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import numpy as np

from serving import metrics
from serving.errors import UnknownAccount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.features.rows import FeatureRows
    from serving.scoring.evidence import EvidenceStatus
    from serving.scoring.result import AccountScore
    from serving.state import ServingState

AGES_SAMPLED = 1 / 16
"""Share of reads whose feature ages are counted; the distribution is the same, and each costs 20 us."""


async def read_features(state: ServingState, account_ids: Sequence[str]) -> FeatureRows:
    """Return the features of *account_ids*, and count how long the store took.

    Raises:
        StoreUnavailable: The store did not answer in time.
    """
    started = time.perf_counter()
    outcome = "unavailable"
    try:
        rows = await state.reader.read(account_ids, state.settings.redis_timeout_seconds)
        outcome = "ok"
    finally:
        metrics.store_seconds(outcome).observe(time.perf_counter() - started)
    return rows


def statuses_of(results: Sequence[AccountScore | UnknownAccount]) -> list[EvidenceStatus]:
    """Return the status of the evidence of each account that is known."""
    return [result.evidence.status for result in results if not isinstance(result, UnknownAccount)]


def count_scores(state: ServingState, rows: FeatureRows, statuses: list[EvidenceStatus], now: float) -> None:
    """Count scores by their evidence, and now and then how old the features of *rows* were at *now* (Unix seconds)."""
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
