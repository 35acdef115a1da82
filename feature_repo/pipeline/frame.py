"""What every view's expression is given: raw tables, the rows to make, and the days before them.

Days are whole numbers here (days since 1970-01-01 UTC), so that windows, ages and clamps are plain arithmetic
on every Ibis backend. A thing is known on day D if its own day is D or earlier; a time of D+1 00:00 belongs
to D+1.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

EPOCH = dt.date(1970, 1, 1)
KEEP_AFTER_END_DAYS = 365
"""An account has rows until this many days after its last paid subscription ended: so long it may be won back."""
KEEP_WITHOUT_PAYING_DAYS = 60
"""An account that never paid has rows until this many days after its start, and after its last trial ended."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The input of a view's expression.

    Attributes:
        tables: Raw tables that are there, by name, in the contract's types.
        spine: The rows to make: `account_id` (string) and `day` (int64, a day number).
        first: Day number of the first day to make.
        last: Day number of the last day to make; nothing later is read.
    """

    tables: Mapping[str, ir.Table]
    spine: ir.Table
    first: int
    last: int

    def dense(self, lookback: int, facts: ir.Table) -> ir.Table:
        """Return each account of the spine on every day that its windows can reach.

        With exactly one row an account and day, a window of rows is a window of days. An account that began
        late has no rows for the time before it; only the days before the first fact and the first row are
        left out.

        Args:
            lookback: Days before the first day to make.
            facts: `account_id` and `day` of what will be joined.
        """
        spine = self.spine
        own = spine.group_by("account_id").agg(begin=spine["day"].min(), finish=spine["day"].max())
        span = attach(own, facts.group_by("account_id").agg(earliest=facts["day"].min()))
        begin = ibis.ifelse(span["earliest"] < span["begin"], span["earliest"], span["begin"])
        begin = ibis.ifelse(begin < self.first, self.first, begin) - lookback
        days = days_between(self.first - lookback, self.last)
        return span.inner_join(days, [days["day"] >= begin, days["day"] <= span["finish"]]).select(
            "account_id", "day"
        )

    def earlier(self, days: int) -> Frame:
        """Return the frame of the same accounts that begins *days* before."""
        spine = make_spine(
            self.tables["accounts"], self.tables["subscriptions"], self.first - days, self.last
        )
        return Frame(self.tables, spine, self.first - days, self.last)

    def made(self, table: ir.Table) -> ir.Table:
        """Return the rows of *table* that lie in the days to make."""
        return table.filter(table["day"] >= self.first)


def days_between(first: int, last: int) -> ir.Table:
    """Return the day numbers *first* to *last* in a column `day`."""
    return ibis.memtable({"day": list(range(first, last + 1))}, schema={"day": "int64"})


def day_number(day: dt.date) -> int:
    """Return the day number of *day*."""
    return (day - EPOCH).days


def date_of(number: int) -> dt.date:
    """Return the day of a day number."""
    return EPOCH + dt.timedelta(days=number)


def day_of(column: ir.Column) -> ir.IntegerColumn:
    """Return the day number of a date column, or of a timestamp column by its UTC day; null stays null."""
    day = column if column.type().is_date() else column.date()
    return day.delta(ibis.date(1970, 1, 1), unit="day").cast("int64")


def day_of_row(event_timestamp: ir.TimestampColumn) -> ir.IntegerColumn:
    """Return the day number of a feature row, which is stamped with the end of its day."""
    return event_timestamp.epoch_seconds().cast("int64") // 86_400 - 1


def attach(left: ir.Table, right: ir.Table) -> ir.Table:
    """Left-join *right* on the keys that it has of `account_id` and `day`; its other columns are added."""
    keys = [key for key in ("account_id", "day") if key in right.columns]
    renamed = right.rename({f"{key}_to_attach": key for key in keys})
    joined = left.left_join(renamed, [left[key] == renamed[f"{key}_to_attach"] for key in keys])
    return joined.drop(*[f"{key}_to_attach" for key in keys])


def starts(accounts: ir.Table, subscriptions: ir.Table) -> ir.Table:
    """Return `account_id` and `start_day`: creation or first subscription, whichever came first."""
    created = accounts.select("account_id", start_day=day_of(accounts["created_at"]))
    subscribed = subscriptions.select("account_id", start_day=day_of(subscriptions["started_at"]))
    subscribed = subscribed.semi_join(accounts, "account_id")
    both = created.union(subscribed)
    return both.group_by("account_id").agg(start_day=both["start_day"].min())


def make_spine(accounts: ir.Table, subscriptions: ir.Table, first: int, last: int) -> ir.Table:
    """Return the rows to make from *first* to *last*: `account_id`, `day`.

    An account has rows from its start on, while a subscription runs, for 365 days after a paid one ended and for 60
    after a trial did; without any subscription yet, for the first 60 days.
    """
    begin = starts(accounts, subscriptions)
    trial_run = begin.select(
        "account_id", since=begin["start_day"], until=begin["start_day"] + KEEP_WITHOUT_PAYING_DAYS
    )
    kept = ibis.ifelse(
        subscriptions["is_trial"].fill_null(False), KEEP_WITHOUT_PAYING_DAYS, KEEP_AFTER_END_DAYS
    )
    paid = subscriptions.select(
        "account_id",
        since=day_of(subscriptions["started_at"]),
        until=ibis.coalesce(day_of(subscriptions["ended_at"]) + kept, ibis.literal(last)),
    )
    spans = trial_run.union(paid.semi_join(accounts, "account_id"))
    spans = spans.filter((spans["since"] <= last) & (spans["until"] >= first))
    days = days_between(first, last)
    covered = spans.inner_join(days, [days["day"] >= spans["since"], days["day"] <= spans["until"]])
    return covered.select("account_id", "day").distinct()
