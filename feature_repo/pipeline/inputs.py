"""Fingerprints of the raw tables: has anything changed, and if so, from which month on?

Two levels. The stamp of a table's files (names, sizes, times) answers "nothing new" without reading. If it
differs, digests of the rows, month by month and as they were known on the last day built, tell whether the
past changed or days were only added. What became known later (an end, a payment, a closure) is masked, since
no row that was built depends on it. This module is an edge of the build and uses the engine's own hash
function.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import day_of
from feature_repo.tables.dataset import FILE_NAME
from feature_repo.tables.reading import table_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import ibis.expr.types as ir

MonthDigests = dict[str, str]
"""By month of the row's own time (`YYYY-MM`): the digest of its rows."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Which columns of a table the features depend on.

    Attributes:
        time: The column whose day makes the row known.
        columns: Further columns known from then on.
        later: Columns that count only once the time in them (or in the first of a group) has passed.
    """

    time: str
    columns: tuple[str, ...]
    later: tuple[tuple[str, ...], ...] = ()


READINGS: Mapping[str, Reading] = {
    # The account's descriptive columns change slowly and are carried as they are when a row is made.
    "accounts": Reading("created_at", ("account_id",), (("onboarded_at",),)),
    "subscriptions": Reading(
        "started_at",
        (
            "subscription_id",
            "account_id",
            "plan",
            "seats",
            "mrr",
            "term_end_at",
            "is_trial",
            "list_mrr",
            "discount_ratio",
            "bill_period_months",
            "auto_renew",
            "api_calls_limit_per_month",
            "storage_limit_gb",
            "features_available",
        ),
        (("ended_at", "end_reason"),),
    ),
    "usage_daily": Reading("day", ("account_id", "metric", "value")),
    "feature_usage": Reading("day", ("account_id", "feature_key", "count", "errors", "feature_tier")),
    "support_tickets": Reading(
        "opened_at",
        ("ticket_id", "account_id", "priority", "is_complaint", "sentiment", "text"),
        (("first_response_at",), ("closed_at", "escalated", "csat")),
    ),
    "invoices": Reading(
        "issued_at", ("invoice_id", "account_id", "due_at"), (("paid_at", "attempts"), ("disputed_at",))
    ),
    "engagements": Reading("occurred_at", ("engagement_id", "account_id", "kind", "score", "person_id")),
    "incidents": Reading("started_at", ("incident_id", "scope", "scope_id"), (("ended_at",),)),
    "procurement_updates": Reading(
        "known_at", ("update_id", "account_id", "stage", "approval", "budget_starts_on", "budget_months")
    ),
    "external_signals": Reading("known_at", ("signal_id", "kind", "scope", "scope_id", "level")),
}


def stamp(folder: Path, tables: Iterable[str]) -> str:
    """Return a digest of names, sizes and times of the files behind *tables* and of `dataset.yaml`."""
    digest = hashlib.sha256()
    files = [file for name in sorted(tables) for file in table_files(folder, name)]
    for file in [*files, folder / FILE_NAME]:
        if file.exists():
            stat = file.stat()
            digest.update(f"{file.relative_to(folder)}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def month_digests(name: str, table: ir.Table, last: int) -> MonthDigests:
    """Return the digests of the raw table *name* as it was known at the end of day number *last*."""
    reading = READINGS[name]
    day = day_of(table[reading.time])
    columns: dict[str, ir.Value] = {column: table[column] for column in (reading.time, *reading.columns)}
    for group in reading.later:
        known = day_of(table[group[0]]) <= last
        columns |= {
            column: ibis.ifelse(known, table[column], ibis.null(table[column].type())) for column in group
        }
    rows = table.filter(day <= last).select(
        month=table[reading.time].strftime("%Y-%m"), digest=ibis.struct(columns).hash()
    )
    low = rows["digest"] % (1 << 31)
    by_month = rows.group_by("month").agg(
        number=rows.count(), mixed=rows["digest"].bit_xor(), total=low.sum()
    )
    return {
        row["month"]: f"{row['number']}:{row['mixed'] & (2**64 - 1):x}:{int(row['total'])}"
        for row in by_month.to_pyarrow().to_pylist()
    }


def first_changed_month(old: MonthDigests, new: MonthDigests) -> str | None:
    """Return the first month whose digest differs, or None if none does."""
    return min((month for month in old.keys() | new.keys() if old.get(month) != new.get(month)), default=None)
