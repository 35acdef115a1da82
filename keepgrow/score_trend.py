"""Brings scores of 30 days ago to the online store, where the service tells trends by them."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Final

from keepgrow.online_store import settings_with_online_store
from serving.earlier_scores import EarlierScores
from serving.features.client import make_link
from serving.scoring.trend import TREND_DAYS, EarlierScore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEADLINE_SECONDS: Final = 30.0


def push_earlier(earlier: Mapping[str, float], model: str, now: dt.datetime, features: Path) -> int:
    """Bring what *model* said of accounts 30 days before *now* to the online store, and return of how many.

    Args:
        earlier: Probability of leaving by the scored horizon, by account; from `churn_probabilities`.
        model: Tag of the bundle.
        now: The time that the batch is of, aware.
        features: Folder of daily feature tables; beside it is the embedded store, unless `REDIS_URL` names one.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    as_of = now - dt.timedelta(days=TREND_DAYS)

    async def bring(url: str) -> int:
        store = EarlierScores(make_link(url))
        try:
            found = ((account, EarlierScore(as_of, chance, model)) for account, chance in earlier.items())
            return await store.bring(found, DEADLINE_SECONDS)
        finally:
            await store.close()

    with settings_with_online_store(features, None) as settings:
        return asyncio.run(bring(settings.redis_url))
