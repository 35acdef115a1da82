"""The `usage` view: log-ins, active users, API calls, events and storage against the account's past.

A day without a row counts as zero from the account's first row of that metric on; before it, nothing is
known. Where `usage_daily` is absent, the day's total of `feature_usage` stands in for product events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import MILLI, at_most, flag, lag, milli, ratio, rolling, running_max
from feature_repo.tables.usage_daily import COUNT_METRICS

if TYPE_CHECKING:
    import ibis.expr.types as ir

WEEK, RECENT, BASELINE = 7, 28, 90
LOOKBACK = RECENT + BASELINE
YEAR = 364
"""Days of a year of whole weeks, so that weekdays meet their like."""
WEEKDAYS = 8
SUMMED = ("logins", "active_users", "api_calls", "events", "invites")
TREND_ORDER = ("events", "api_calls", "logins", "active_users")

LOST = {
    "usage_daily": (
        "logins_7d",
        "logins_28d",
        "login_days_28d",
        "login_days_28d_vs_baseline_ratio",
        "active_users_28d_mean",
        "active_users_28d_vs_baseline_ratio",
        "api_calls_28d",
        "api_calls_wow_ratio",
        "api_calls_28d_vs_baseline_ratio",
        "storage_gb",
        "invites_28d",
    )
}
"""Features that are null without a table."""


def metrics(frame: Frame) -> ir.Table | None:
    """Return `account_id`, `day`, `metric`, `amount` (thousandths), or None if no usage table is there."""
    daily = frame.tables.get("usage_daily")
    if daily is not None:
        return _metrics(daily, daily["metric"], daily["value"], frame.last)
    uses = frame.tables.get("feature_usage")
    if uses is not None:
        return _metrics(uses, ibis.literal("events"), uses["count"], frame.last)
    return None


def _metrics(table: ir.Table, metric: ir.Value, value: ir.Column, last: int) -> ir.Table:
    rows = table.select("account_id", day=day_of(table["day"]), metric=metric, amount=milli(value))
    return rows.filter((rows["day"] <= last) & rows["amount"].notnull())


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `usage` view that can be made, by `account_id` and `day`."""
    rows = metrics(frame)
    if rows is None:
        return frame.spine
    start = frame.first - LOOKBACK
    active = rows["metric"].isin(COUNT_METRICS) & (rows["amount"] > 0)
    recent = rows.filter(rows["day"] >= start)
    recent_active = recent["metric"].isin(COUNT_METRICS) & (recent["amount"] > 0)
    by_day = recent.group_by("account_id", "day").agg(
        **{name: recent["amount"].sum(where=recent["metric"] == name) for name in SUMMED},
        active=flag(recent_active).max(),
        stored_day=recent["day"].max(where=recent["metric"] == "storage_gb"),
    )
    history = rows.group_by("account_id").agg(
        **{f"first_{name}": rows["day"].min(where=rows["metric"] == name) for name in SUMMED},
        first_any=rows["day"].min(),
        active_before=rows["day"].max(where=active & (rows["day"] < start)),
        stored_before=rows["day"].max(where=(rows["metric"] == "storage_gb") & (rows["day"] < start)),
    )
    grid = attach(
        attach(frame.dense(LOOKBACK, history.select("account_id", day=history["first_any"])), by_day), history
    )
    grid = attach(grid, _year_ago(rows, start, frame.last))
    then = [f"{name}_then" for name in TREND_ORDER]
    grid = grid.mutate(**{name: grid[name].fill_null(0.0) for name in (*SUMMED, "active", *then)})
    grid = grid.mutate(login_day=flag(grid["logins"] > 0))
    grid = frame.made(_windows(grid))
    return _storage(_features(grid), rows)


def _year_ago(rows: ir.Table, start: int, last: int) -> ir.Table:
    """Return each day's amounts of 364 days before, from day *start* on."""
    then = rows.mutate(day=rows["day"] + YEAR)
    then = then.filter((then["day"] >= start) & (then["day"] <= last))
    return then.group_by("account_id", "day").agg(
        **{f"{name}_then": then["amount"].sum(where=then["metric"] == name) for name in TREND_ORDER}
    )


def _windows(grid: ir.Table) -> ir.Table:
    """Add all window sums, then those that look back at sums."""
    sums = {
        f"{name}_7": rolling(grid[name], WEEK) for name in ("logins", "active_users", "api_calls", "events")
    }
    sums |= {f"{name}_28": rolling(grid[name], RECENT) for name in (*SUMMED, "login_day", "active")}
    sums |= {
        f"{name}_base": rolling(grid[name], BASELINE, skip=RECENT)
        for name in ("login_day", "active_users", "api_calls", "events")
    }
    sums |= {f"{name}_3": rolling(grid[name], 3) for name in TREND_ORDER}
    sums |= {f"{name}_then_28": rolling(grid[f"{name}_then"], RECENT) for name in TREND_ORDER}
    active_day = ibis.ifelse(grid["active"] > 0, grid["day"], ibis.null("int64"))
    grid = grid.mutate(
        **sums,
        active_last=ibis.coalesce(running_max(active_day), grid["active_before"]),
        stored_last=ibis.coalesce(running_max(grid["stored_day"]), grid["stored_before"]),
    )
    known = [grid["day"] - grid[f"first_{name}"] >= WEEK - 1 for name in TREND_ORDER]
    grid = grid.mutate(
        trend_of=ibis.cases(*[(known[i], i) for i in range(len(known))]),
        week=ibis.cases(*[(known[i], grid[f"{TREND_ORDER[i]}_7"]) for i in range(len(known))]),
        three=ibis.cases(*[(known[i], grid[f"{TREND_ORDER[i]}_3"]) for i in range(len(known))]),
    )
    return grid.mutate(
        trend_of_then=lag(grid["trend_of"], 3 * WEEK),
        trend_of_long_ago=lag(grid["trend_of"], WEEKDAYS * WEEK),
        **{f"three_{back}": lag(grid["three"], WEEK * back) for back in range(1, WEEKDAYS + 1)},
        api_calls_7_then=lag(grid["api_calls_7"], WEEK),
        **{f"week_{back}": lag(grid["week"], WEEK * back) for back in (1, 2, 3)},
    )


def _features(grid: ir.Table) -> ir.Table:
    """Turn window sums into features, null where nothing is known yet."""
    known = {name: grid["day"] - grid[f"first_{name}"] + 1 for name in (*SUMMED, "any")}

    def amount(column: str, metric: str, unit: float = MILLI) -> ir.Column:
        return ibis.ifelse(known[metric] >= 1, grid[column] / unit, ibis.null("float64"))

    def against_baseline(name: str, metric: str) -> ir.Column:
        days = at_most(known[metric] - RECENT, BASELINE)
        change = ratio(grid[f"{name}_28"] * days, grid[f"{name}_base"] * RECENT)
        return ibis.ifelse(days >= RECENT, change, ibis.null("float64"))

    old = [known[name] >= YEAR + RECENT for name in TREND_ORDER]
    year_ratio = [ratio(grid[f"{name}_28"], grid[f"{name}_then_28"]) for name in TREND_ORDER]
    same_weekdays = grid["three_1"]
    for back in range(2, WEEKDAYS + 1):
        same_weekdays += grid[f"three_{back}"]
    mean_week = (grid["week"] + grid["week_1"] + grid["week_2"] + grid["week_3"]) * 10
    rise = (grid["week"] - grid["week_3"]) * 3 + (grid["week_1"] - grid["week_2"])
    return grid.select(
        "account_id",
        "day",
        "stored_last",
        logins_7d=amount("logins_7", "logins"),
        logins_28d=amount("logins_28", "logins"),
        login_days_28d=amount("login_day_28", "logins", 1.0),
        login_days_28d_vs_baseline_ratio=against_baseline("login_day", "logins"),
        active_users_28d_mean=amount("active_users_28", "active_users")
        / at_most(known["active_users"], RECENT),
        active_users_28d_vs_baseline_ratio=against_baseline("active_users", "active_users"),
        api_calls_28d=amount("api_calls_28", "api_calls"),
        api_calls_wow_ratio=ibis.ifelse(
            known["api_calls"] >= 2 * WEEK,
            ratio(grid["api_calls_7"], grid["api_calls_7_then"]),
            ibis.null("float64"),
        ),
        api_calls_28d_vs_baseline_ratio=against_baseline("api_calls", "api_calls"),
        events_7d=amount("events_7", "events"),
        events_28d=amount("events_28", "events"),
        events_28d_vs_baseline_ratio=against_baseline("events", "events"),
        active_days_28d=amount("active_28", "any", 1.0),
        days_since_last_active=grid["day"] - grid["active_last"],
        invites_28d=amount("invites_28", "invites"),
        usage_trend_28d_slope=ibis.ifelse(
            grid["trend_of"] == grid["trend_of_then"], ratio(rise * 4, mean_week), ibis.null("float64")
        ),
        usage_3d_vs_weekdays_56d_ratio=ibis.ifelse(
            grid["trend_of"] == grid["trend_of_long_ago"],
            ratio(grid["three"] * WEEKDAYS, same_weekdays),
            ibis.null("float64"),
        ),
        usage_28d_vs_year_ago_ratio=ibis.cases(
            *[(is_old, value) for is_old, value in zip(old, year_ratio, strict=True)]
        ),
    )


def _storage(features: ir.Table, rows: ir.Table) -> ir.Table:
    """Add the storage level of the last day that reported one."""
    levels = rows.filter(rows["metric"] == "storage_gb")
    levels = levels.group_by(stored_account="account_id", stored_day="day").agg(level=levels["amount"].max())
    joined = features.left_join(
        levels,
        [
            features["account_id"] == levels["stored_account"],
            features["stored_last"] == levels["stored_day"],
        ],
    )
    return joined.mutate(storage_gb=joined["level"] / MILLI).drop(
        "stored_account", "stored_day", "stored_last", "level"
    )
