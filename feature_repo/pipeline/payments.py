"""How an account pays its invoices: what is overdue, how late payments come, what is disputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import at_least, flag, ratio, rolling

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 180
HALF = 90
SECONDS_A_DAY = 86_400.0


def payments(frame: Frame) -> ir.Table | None:
    """Return the payment features by `account_id` and `day`, or None if `invoices` is absent."""
    table = frame.tables.get("invoices")
    if table is None:
        return None
    invoices = table.select(
        "account_id",
        issued_day=day_of(table["issued_at"]),
        due_day=day_of(table["due_at"]),
        paid_day=day_of(table["paid_at"]),
        disputed_day=day_of(table["disputed_at"]),
        retries=at_least(table["attempts"].cast("float64") - 1.0, 0.0).fill_null(0.0),
        late_seconds=table["paid_at"].delta(table["due_at"], unit="second").cast("float64"),
    )
    grid = attach(attach(frame.spine, _overdue(frame, invoices)), _settled(frame, invoices))
    return grid.select(
        "account_id",
        "day",
        "disputes_180d",
        invoices_overdue=grid["overdue"].fill_null(0),
        overdue_days_max=ibis.coalesce(grid["day"] - grid["oldest_due"], ibis.literal(0)),
        payment_delay_days_180d_mean=ratio(grid["late_seconds"], grid["paid"]) / SECONDS_A_DAY,
        payment_delay_days_90d_change=(
            ratio(grid["late_seconds_now"], grid["paid_now"])
            - ratio(grid["late_seconds_before"], grid["paid_before"])
        )
        / SECONDS_A_DAY,
        invoices_paid_in_time_180d_ratio=ratio(grid["in_time"], grid["paid"]),
        failed_payment_attempts_180d=grid["retries"],
    )


def _overdue(frame: Frame, invoices: ir.Table) -> ir.Table:
    """Return how many invoices were past due and unpaid at the end of a day, and the oldest's due day.

    An invoice is past due on the day after its due day, so that a payment on the due day itself is in time.
    """
    late_from = ibis.greatest(invoices["due_day"] + 1, invoices["issued_day"])
    late = invoices.mutate(late_from=late_from)
    late = late.filter(
        (late["late_from"] <= frame.last)
        & (late["paid_day"].isnull() | (late["paid_day"] > late["late_from"]))
    )
    late = late.select("late_from", "due_day", "paid_day", late_account="account_id")
    spine = frame.spine
    joined = spine.inner_join(
        late,
        [
            spine["account_id"] == late["late_account"],
            spine["day"] >= late["late_from"],
            late["paid_day"].isnull() | (late["paid_day"] > spine["day"]),
        ],
    )
    return joined.group_by("account_id", "day").agg(
        overdue=joined.count(), oldest_due=joined["due_day"].min()
    )


def _settled(frame: Frame, invoices: ir.Table) -> ir.Table:
    """Return what was paid and disputed within the window."""
    one, nothing = ibis.literal(1.0), ibis.literal(0.0)
    paid = invoices.select(
        "account_id",
        day=invoices["paid_day"],
        paid=one,
        late_seconds=invoices["late_seconds"],
        in_time=flag(invoices["paid_day"] <= invoices["due_day"]),
        retries=invoices["retries"],
        disputed=nothing,
    )
    disputed = invoices.select(
        "account_id",
        day=invoices["disputed_day"],
        paid=nothing,
        late_seconds=nothing,
        in_time=nothing,
        retries=nothing,
        disputed=one,
    )
    facts = paid.union(disputed)
    facts = facts.filter((facts["day"] >= frame.first - WINDOW) & (facts["day"] <= frame.last))
    names = ("paid", "late_seconds", "in_time", "retries", "disputed")
    by_day = facts.group_by("account_id", "day").agg(**{name: facts[name].sum() for name in names})
    grid = attach(frame.dense(WINDOW, facts), by_day)
    grid = grid.mutate(**{name: grid[name].fill_null(0.0) for name in names})
    return frame.made(
        grid.select(
            "account_id",
            "day",
            paid=rolling(grid["paid"], WINDOW),
            late_seconds=rolling(grid["late_seconds"], WINDOW),
            in_time=rolling(grid["in_time"], WINDOW),
            retries=rolling(grid["retries"], WINDOW),
            paid_now=rolling(grid["paid"], HALF),
            late_seconds_now=rolling(grid["late_seconds"], HALF),
            paid_before=rolling(grid["paid"], HALF, skip=HALF),
            late_seconds_before=rolling(grid["late_seconds"], HALF, skip=HALF),
            disputes_180d=rolling(grid["disputed"], WINDOW),
        )
    )
