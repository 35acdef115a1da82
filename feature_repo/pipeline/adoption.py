"""The `adoption` view: how many of the product's features the account uses, and how well they work.

The number of different features used in a window is counted without a row per account, feature and day: each
feature gives a step up when it comes into use and a step down when its window has run out, and the steps are
summed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.subscription_state import current_subscription
from feature_repo.pipeline.windows import at_least, at_most, flag, ratio, rolling, running_sum

if TYPE_CHECKING:
    import ibis.expr.types as ir

RECENT, LONG, BASELINE = 28, 90, 90
LOOKBACK = RECENT + BASELINE

LOST = {
    "feature_usage": (
        "feature_uses_28d",
        "features_used_28d",
        "features_used_28d_vs_baseline_ratio",
        "advanced_features_used_28d",
        "adoption_ratio",
        "new_features_adopted_28d",
        "feature_error_ratio_28d",
    )
}
"""Features that are null without a table."""


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `adoption` view that can be made, by `account_id` and `day`."""
    table = frame.tables.get("feature_usage")
    if table is None:
        return frame.spine
    rows = table.select(
        "account_id", "feature_key", "feature_tier", "count", "errors", day=day_of(table["day"])
    )
    rows = rows.filter((rows["day"] <= frame.last) & rows["count"].notnull())
    reported = rows.group_by("account_id").agg(reported_since=rows["day"].min())
    uses = rows.filter(rows["count"] > 0)
    first_uses = uses.group_by("account_id", "feature_key").agg(
        first_day=uses["day"].min(),
        advanced=flag(uses["feature_tier"] == "advanced").argmin(uses["day"]),
    )
    grid = frame.dense(LOOKBACK, reported.select("account_id", day=reported["reported_since"]))
    for part in (
        _daily_totals(rows, frame.first - LOOKBACK),
        _newcomers(first_uses),
        _steps(uses, first_uses, frame.first - LOOKBACK),
        reported,
    ):
        grid = attach(grid, part)
    return _features(frame, grid)


def _daily_totals(rows: ir.Table, start: int) -> ir.Table:
    """Return uses and errors of each day from *start* on."""
    recent = rows.filter(rows["day"] >= start)
    return recent.group_by("account_id", "day").agg(
        uses=recent["count"].sum().cast("float64"),
        watched_uses=recent["count"].sum(where=recent["errors"].notnull()).cast("float64"),
        errors=recent["errors"].sum().cast("float64"),
    )


def _newcomers(first_uses: ir.Table) -> ir.Table:
    """Return how many features each account used for the first time, by day."""
    named = first_uses.rename(day="first_day")
    return named.group_by("account_id", "day").agg(newcomers=named.count().cast("float64"))


def _steps(uses: ir.Table, first_uses: ir.Table, start: int) -> ir.Table:
    """Return the steps of the counts of different features; summed from *start* on, they are the counts."""
    recent = uses.filter(uses["day"] >= start - LONG + 1)
    recent = recent.group_by("account_id", "feature_key", "day").agg()
    in_order = ibis.window(group_by=("account_id", "feature_key"), order_by="day")
    spaced = recent.mutate(
        gap_before=recent["day"] - recent["day"].lag().over(in_order),
        gap_after=recent["day"].lead().over(in_order) - recent["day"],
    )
    spaced = spaced.filter(
        spaced["gap_before"].isnull()
        | spaced["gap_after"].isnull()
        | (spaced["gap_before"] >= RECENT)
        | (spaced["gap_after"] >= RECENT)
    )
    tiers = first_uses.select(tier_account="account_id", tier_feature="feature_key", advanced="advanced")
    edges = spaced.inner_join(
        tiers,
        [spaced["account_id"] == tiers["tier_account"], spaced["feature_key"] == tiers["tier_feature"]],
    )
    steps = [
        _ups_and_downs(edges, window, column) for window, column in ((RECENT, "step_28"), (LONG, "step_90"))
    ]
    both = steps[0].union(steps[1])
    placed = both.mutate(day=at_least(both["day"], start))
    return placed.group_by("account_id", "day").agg(
        step_28=placed["step_28"].sum(),
        advanced_step_28=placed["advanced_step_28"].sum(),
        step_90=placed["step_90"].sum(),
    )


def _ups_and_downs(edges: ir.Table, window: int, column: str) -> ir.Table:
    """Return a step up where a use begins and a step down where *window* days passed without one."""
    begins = edges.filter(edges["gap_before"].isnull() | (edges["gap_before"] >= window))
    ends = edges.filter(edges["gap_after"].isnull() | (edges["gap_after"] >= window))

    def step(table: ir.Table, day: ir.Column, size: int) -> ir.Table:
        amount = ibis.literal(float(size))
        nothing = ibis.literal(0.0)
        short = column == "step_28"
        return table.select(
            "account_id",
            day=day,
            step_28=amount if short else nothing,
            advanced_step_28=amount * table["advanced"] if short else nothing,
            step_90=nothing if short else amount,
        )

    return step(begins, begins["day"], 1).union(step(ends, ends["day"] + window, -1))


def _features(frame: Frame, grid: ir.Table) -> ir.Table:
    """Turn daily totals and steps into features, null before the account's first row."""
    steps = ("uses", "watched_uses", "errors", "newcomers", "step_28", "advanced_step_28", "step_90")
    grid = grid.mutate(**{name: grid[name].fill_null(0.0) for name in steps})
    grid = grid.mutate(
        used_28=running_sum(grid["step_28"]),
        advanced_28=running_sum(grid["advanced_step_28"]),
        used_90=running_sum(grid["step_90"]),
        **{
            f"{name}_28": rolling(grid[name], RECENT)
            for name in ("uses", "watched_uses", "errors", "newcomers")
        },
    )
    grid = frame.made(grid.mutate(used_base=rolling(grid["used_28"], BASELINE, skip=RECENT)))
    grid = attach(grid, current_subscription(frame).select("account_id", "day", "features_available"))
    known = grid["day"] - grid["reported_since"] + 1
    base_days = at_most(known - RECENT, BASELINE)

    def once_known(value: ir.Column) -> ir.Column:
        return ibis.ifelse(known >= 1, value, ibis.null(value.type()))

    return grid.select(
        "account_id",
        "day",
        feature_uses_28d=once_known(grid["uses_28"]),
        features_used_28d=once_known(grid["used_28"]),
        features_used_28d_vs_baseline_ratio=ibis.ifelse(
            base_days >= RECENT, ratio(grid["used_28"] * base_days, grid["used_base"]), ibis.null("float64")
        ),
        advanced_features_used_28d=once_known(grid["advanced_28"]),
        adoption_ratio=once_known(ratio(grid["used_90"], grid["features_available"])),
        new_features_adopted_28d=once_known(grid["newcomers_28"]),
        feature_error_ratio_28d=ratio(grid["errors_28"], grid["watched_uses_28"]),
    )
