"""The `commercial` view: what the account pays for, how near it is to its plan's limits, and how it pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.departure import departures
from feature_repo.pipeline.frame import Frame, attach
from feature_repo.pipeline.payments import payments
from feature_repo.pipeline.subscription_state import periods, running_periods, with_current
from feature_repo.pipeline.usage_peaks import usage_peaks
from feature_repo.pipeline.windows import MICRO, MILLI, at_most, flag, lag, ratio

if TYPE_CHECKING:
    import ibis.expr.types as ir

COMPARED = 90
CHANGES_WINDOW = 365
DAYS_IN_MONTH, RECENT = 30, 28

LOST = {
    "usage_daily": (
        "seat_utilisation_ratio",
        "api_limit_utilisation_ratio",
        "storage_limit_utilisation_ratio",
    ),
    "invoices": (
        "invoices_overdue",
        "overdue_days_max",
        "payment_delay_days_180d_mean",
        "payment_delay_days_90d_change",
        "invoices_paid_in_time_180d_ratio",
        "failed_payment_attempts_180d",
        "disputes_180d",
    ),
}
"""Features that are null without a table."""


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `commercial` view that can be made, by `account_id` and `day`."""
    rows = periods(frame)
    dense = frame.dense(COMPARED, rows.select("account_id", day=rows["begin_day"]))
    state = attach(dense, running_periods(rows, frame.first - COMPARED, frame.last))
    state = state.mutate(seats_then=lag(state["seats"], COMPARED), mrr_then=lag(state["micro_mrr"], COMPARED))
    grid = with_current(frame.made(state), rows)
    trial = rows["is_trial"].fill_null(False)
    begun = rows.group_by("account_id").agg(
        begun=rows["begin_day"].min(),
        tried=rows["begin_day"].min(where=trial),
        bought=rows["begin_day"].min(where=~trial),
    )
    grid = attach(attach(attach(grid, begun), _plan_changes(frame, rows)), departures(frame, rows))
    grid = grid.mutate(
        mrr=grid["micro_mrr"].fill_null(0.0) / MICRO,
        mrr_per_seat=ratio(grid["micro_mrr"], grid["seats"]) / MICRO,
        mrr_change_90d_ratio=ratio(grid["micro_mrr"].fill_null(0.0), grid["mrr_then"]),
        seats=grid["seats"].fill_null(0.0),
        seat_growth_90d_ratio=ratio(grid["seats"].fill_null(0.0), grid["seats_then"]),
        tenure_days=ibis.ifelse(
            grid["begun"] <= grid["day"], grid["day"] - grid["begun"], ibis.null("int64")
        ),
        days_to_term_end=grid["term_end_day"] - grid["day"],
        is_trial=ibis.ifelse(grid["plan"].notnull(), grid["is_trial"].fill_null(False), ibis.null("boolean")),
        discount_ratio=_discount(grid, grid["own_mrr"]),
        mrr_per_seat_change_90d_ratio=ratio(
            ratio(grid["micro_mrr"], grid["seats"]), ratio(grid["mrr_then"], grid["seats_then"])
        ),
        trial_to_paid_days=ibis.ifelse(
            (grid["bought"] <= grid["day"]) & (grid["tried"] <= grid["bought"]),
            grid["bought"] - grid["tried"],
            ibis.null("int64"),
        ),
        plan_changes_365d=grid["plan_changes_365d"].fill_null(0),
        discount_365d_max=grid["discount_365d_max"].fill_null(0.0),
        days_since_plan_change=grid["day"] - grid["changed"],
    )
    peaks = usage_peaks(frame)
    if peaks is not None:
        grid = _limits(attach(grid, peaks))
    paid = payments(frame)
    return grid if paid is None else attach(grid, paid)


def _limits(grid: ir.Table) -> ir.Table:
    """Add how much of the seats and of the plan's limits is used."""
    return grid.mutate(
        seat_utilisation_ratio=ratio(grid["active_users_peak"], grid["seats"]) / MILLI,
        api_limit_utilisation_ratio=ratio(grid["api_calls_28"], grid["api_calls_limit_per_month"])
        * (DAYS_IN_MONTH / RECENT)
        / MILLI,
        storage_limit_utilisation_ratio=ratio(grid["storage"], grid["storage_limit_gb"]) / MILLI,
    )


def _plan_changes(frame: Frame, rows: ir.Table) -> ir.Table:
    """Return plan changes and the largest discount of the last year, where there was any."""
    changed = (rows["plan"] != rows["previous_plan"]).fill_null(False)
    changes = rows.select(
        change_account="account_id",
        change_day="begin_day",
        end_day="end_day",
        plan_changed=changed,
        discount=ibis.ifelse(
            rows["is_trial"].fill_null(False), 0.0, _discount(rows, rows["mrr"]).fill_null(0.0)
        ),
    )
    changes = changes.filter(changes["plan_changed"] | (changes["discount"] > 0))
    spine = frame.spine
    joined = spine.inner_join(
        changes, [spine["account_id"] == changes["change_account"], spine["day"] >= changes["change_day"]]
    )
    since = joined["day"] - CHANGES_WINDOW
    lately = joined["change_day"] > since
    running = joined["end_day"].isnull() | (joined["end_day"] > since)
    return joined.group_by("account_id", "day").agg(
        plan_changes_365d=flag(lately & joined["plan_changed"]).sum(),
        changed=joined["change_day"].max(where=joined["plan_changed"]),
        discount_365d_max=joined["discount"].max(where=running),
    )


def _discount(rows: ir.Table, mrr: ir.Column) -> ir.Column:
    """Return the discount as given, else what *mrr* lies below the list price."""
    return ibis.coalesce(rows["discount_ratio"], 1.0 - at_most(ratio(mrr, rows["list_mrr"]), 1.0))
