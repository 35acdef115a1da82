"""Daily feature files with random values of every type, awkward ones among them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.pipeline.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from feature_repo.pipeline.spec import Feature, ViewSpec

END = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
TEXTS = ("enterprise", "", "Größe", "中文", "🦊 fox", "x" * 300, "a,b:c")
FLOATS = (0.0, -0.0, 1.5, -273.15, 5e-324, 1.7976931348623157e308, float("nan"), 1 / 3)
INTS = (0, 1, -1, 127, 128, 4095, 4096, 2**31, -(2**31), 2**53, 2**62, -(2**63))
AWKWARD_IDS = (
    "",
    " ",
    "acme-0001",
    "ACME-0001",
    "Zürich GmbH",
    "株式会社",
    "🦊",
    "a\nb",
    "x" * 500,
    "'; DROP",
    "%s*?[",
)


def random_column(feature: Feature, rows: int, rng: np.random.Generator) -> pa.Array:
    """Return a column of the feature's type, a tenth of it null."""
    mask = rng.random(rows) < 0.1
    if feature.dtype == "Float64":
        values = np.where(rng.random(rows) < 0.3, rng.choice(FLOATS, rows), rng.normal(size=rows) * 1e4)
        return pa.array(values, pa.float64(), mask=mask)
    if feature.dtype == "Int64":
        odd = np.array(INTS, dtype=np.int64)[rng.integers(0, len(INTS), rows)]
        return pa.array(
            np.where(rng.random(rows) < 0.3, odd, rng.integers(0, 400, rows)), pa.int64(), mask=mask
        )
    if feature.dtype == "Bool":
        return pa.array(rng.random(rows) < 0.5, pa.bool_(), mask=mask)
    return pa.array(np.array(TEXTS, dtype=object)[rng.integers(0, len(TEXTS), rows)], pa.string(), mask=mask)


def write_view(
    folder: Path, spec: ViewSpec, accounts: Sequence[str], day_ends: Sequence[dt.datetime], seed: int
) -> None:
    """Write one view's file: a row for each account and day end."""
    rng = np.random.default_rng(seed)
    rows = len(accounts) * len(day_ends)
    columns = {
        "account_id": pa.array([account for _ in day_ends for account in accounts], pa.string()),
        "event_timestamp": pa.array([end for end in day_ends for _ in accounts], pa.timestamp("us", "UTC")),
        "created": pa.array([END] * rows, pa.timestamp("us", "UTC")),
        **{feature.name: random_column(feature, rows, rng) for feature in spec.features},
    }
    target = folder / spec.name
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), target / f"{max(day_ends):%Y-%m}-{seed}.parquet")


def write_features(
    folder: Path, accounts: Sequence[str], days: int = 2, seed: int = 7, end: dt.datetime = END
) -> None:
    """Write every view for the days up to *end*; each lacks a tenth of the accounts, not the same."""
    rng = np.random.default_rng(seed)
    for number, spec in enumerate(VIEWS):
        there = [account for account in accounts if rng.random() > 0.1]
        write_view(folder, spec, there, [end - dt.timedelta(days=age) for age in range(days)], seed + number)


def row(spec: ViewSpec, account_id: str, time: dt.datetime, **values: object) -> dict[str, object]:
    """Return a whole row of a view, null but for *values*."""
    empty = {feature.name: None for feature in spec.features}
    return {"account_id": account_id, "event_timestamp": time, **empty, **values}
