"""The `procurement` view: what is known of how the account buys.

An update counts from the day on which it became known. What it says nothing of stays as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import at_least, at_most, carried, flag, rolling, running_max
from feature_repo.tables.procurement_updates import STAGES, STAGES_UNDER_WAY

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 365
BUDGET_MONTHS = 12
LAST_DAY_OF_EVERY_MONTH = 28
RANKS = dict.fromkeys(STAGES, 0) | {stage: rank for rank, stage in enumerate(STAGES_UNDER_WAY, start=1)}
"""How far a purchase is; 0 once it has ended."""

LOST = {
    "procurement_updates": (
        "days_to_next_budget_start",
        "procurement_stage",
        "procurement_stage_rank",
        "days_in_procurement_stage",
        "approval_pending",
        "approval_pending_days",
        "approvals_refused_365d",
    )
}
"""Features that are null without a table."""


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `procurement` view that can be made, by `account_id` and `day`."""
    table = frame.tables.get("procurement_updates")
    if table is None:
        return frame.spine
    rows = table.select(
        "account_id",
        "update_id",
        "known_at",
        "stage",
        "approval",
        true_day=day_of(table["known_at"]),
        budget_day=day_of(table["budget_starts_on"]),
        budget_months=table["budget_months"].fill_null(BUDGET_MONTHS),
    )
    rows = _with_change(_with_change(rows.filter(rows["true_day"] <= frame.last), "stage"), "approval")
    # All that is older than the window lies on the first day, which only what is carried on reaches.
    rows = rows.mutate(day=at_least(rows["true_day"], frame.first - WINDOW))
    in_order = ibis.window(group_by=("account_id", "day"), order_by=("known_at", "update_id"))
    rows = rows.mutate(place=ibis.row_number().over(in_order))
    budgeted = rows["budget_day"].notnull()
    refused = (rows["approval"] == "refused") & (rows["true_day"] == rows["day"])
    by_day = rows.group_by("account_id", "day").agg(
        stage=rows["stage"].argmax(rows["place"], where=rows["stage"].notnull()),
        approval=rows["approval"].argmax(rows["place"], where=rows["approval"].notnull()),
        budget_day=rows["budget_day"].argmax(rows["place"], where=budgeted),
        budget_months=rows["budget_months"].argmax(rows["place"], where=budgeted),
        stage_changed=rows["true_day"].max(where=rows["stage_changes"]),
        approval_changed=rows["true_day"].max(where=rows["approval_changes"]),
        refused=flag(refused & rows["approval_changes"]).sum(),
    )
    grid = attach(frame.dense(WINDOW, rows), by_day)
    grid = carried(grid, "stage", "approval", "budget_day", "budget_months")
    grid = frame.made(
        grid.mutate(
            stage_changed=running_max(grid["stage_changed"]),
            approval_changed=running_max(grid["approval_changed"]),
            approvals_refused_365d=rolling(grid["refused"].fill_null(0.0), WINDOW),
        )
    )
    pending = grid["approval"] == "pending"
    return grid.select(
        "account_id",
        "day",
        "approvals_refused_365d",
        days_to_next_budget_start=_next_start(grid) - grid["day"],
        procurement_stage=grid["stage"],
        procurement_stage_rank=grid["stage"].cases(*RANKS.items()),
        days_in_procurement_stage=grid["day"] - grid["stage_changed"],
        approval_pending=pending,
        approval_pending_days=ibis.ifelse(
            pending, grid["day"] - grid["approval_changed"], ibis.null("int64")
        ),
    )


def _with_change(rows: ir.Table, column: str) -> ir.Table:
    """Add `COLUMN_changes`: whether a row says something else of *column* than the last that said anything."""
    said = ibis.window(group_by=("account_id", rows[column].notnull()), order_by=("known_at", "update_id"))
    changes = ~rows[column].identical_to(rows[column].lag().over(said))
    return rows.mutate(**{f"{column}_changes": rows[column].notnull() & changes})


def _next_start(grid: ir.Table) -> ir.IntegerColumn:
    """Return the day number of the first budget start on or after the day.

    It is the one told, or a whole number of periods after it. A period that begins after the 28th is taken to begin on
    the 28th, a day that every month has.
    """
    told, today = _calendar(grid["budget_day"]), _calendar(grid["day"])
    periods = (_month(today) - _month(told)) // grid["budget_months"]
    this = _start(told, _month(told) + periods * grid["budget_months"])
    following = _start(told, _month(told) + (periods + 1) * grid["budget_months"])
    later = ibis.ifelse(this >= grid["day"], this, following)
    return ibis.ifelse(grid["budget_day"] >= grid["day"], grid["budget_day"], later)


def _calendar(day: ir.Column) -> ir.TimestampColumn:
    return (day.cast("int64") * 86_400).as_timestamp("s")


def _month(time: ir.TimestampColumn) -> ir.IntegerColumn:
    return time.year().cast("int64") * 12 + time.month().cast("int64") - 1


def _start(told: ir.TimestampColumn, month: ir.IntegerColumn) -> ir.IntegerColumn:
    """Return the day number of the start in *month*, counted from year 0."""
    day = at_most(told.day().cast("int64"), LAST_DAY_OF_EVERY_MONTH)
    return day_of(ibis.date(month // 12, month % 12 + 1, day))
