"""Hand-made subscription periods for tests of labels."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa

PLANS = ("starter", "basic", "premier")


def at(day: str) -> dt.datetime:
    """Return 00:00 UTC of an ISO day, or the moment that an ISO time names."""
    return dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class Period:
    """One subscription period of a test."""

    start: str
    end: str | None = None
    plan: str = "basic"
    seats: int = 10
    is_trial: bool | None = False
    account: str = "a"


def subscriptions(*periods: Period) -> pa.Table:
    """Return the periods as the columns that labels read."""
    moment = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "account_id": pa.array([period.account for period in periods], pa.string()),
            "plan": pa.array([period.plan for period in periods], pa.string()),
            "seats": pa.array([period.seats for period in periods], pa.int64()),
            "started_at": pa.array([at(period.start) for period in periods], moment),
            "ended_at": pa.array([at(period.end) if period.end else None for period in periods], moment),
            "is_trial": pa.array([period.is_trial for period in periods], pa.bool_()),
        }
    )
