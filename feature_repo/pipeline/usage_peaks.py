"""What the plan's limits are compared with: peak of active users, sum of API calls, storage level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import at_least, milli, rolling, running_max

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 28


def usage_peaks(frame: Frame) -> ir.Table | None:
    """Return `active_users_peak`, `api_calls_28` and `storage` in thousandths, by `account_id` and `day`.

    Each is null before the account's first row of its metric; None if `usage_daily` is absent.
    """
    daily = frame.tables.get("usage_daily")
    if daily is None:
        return None
    rows = daily.select("account_id", "metric", day=day_of(daily["day"]), amount=milli(daily["value"]))
    rows = rows.filter(
        rows["metric"].isin(("active_users", "api_calls", "storage_gb"))
        & (rows["day"] <= frame.last)
        & rows["amount"].notnull()
    )
    start = frame.first - WINDOW
    # All that is older than the window lies on the first day, which only the running maxima reach.
    placed = rows.mutate(day=at_least(rows["day"], start), true_day=rows["day"])
    by_day = placed.group_by("account_id", "day").agg(
        users=placed["amount"].sum(where=placed["metric"] == "active_users"),
        calls=placed["amount"].sum(where=placed["metric"] == "api_calls"),
        stored_day=placed["true_day"].max(where=placed["metric"] == "storage_gb"),
    )
    grid = attach(frame.dense(WINDOW, rows), by_day)
    in_window = ibis.window(group_by="account_id", order_by="day", rows=(1 - WINDOW, 0))
    grid = frame.made(
        grid.select(
            "account_id",
            "day",
            users_seen=running_max(grid["users"]),
            active_users_peak=grid["users"].max().over(in_window),
            calls_seen=running_max(grid["calls"]),
            api_calls_28=rolling(grid["calls"], WINDOW),
            stored_last=running_max(grid["stored_day"]),
        )
    )
    levels = rows.filter(rows["metric"] == "storage_gb")
    levels = levels.group_by(stored_account="account_id", stored_day="day").agg(
        storage=levels["amount"].max()
    )
    joined = grid.left_join(
        levels, [grid["account_id"] == levels["stored_account"], grid["stored_last"] == levels["stored_day"]]
    )
    nothing = ibis.null("float64")
    return joined.select(
        "account_id",
        "day",
        "storage",
        active_users_peak=ibis.ifelse(
            joined["users_seen"].notnull(), joined["active_users_peak"].fill_null(0.0), nothing
        ),
        api_calls_28=ibis.ifelse(
            joined["calls_seen"].notnull(), joined["api_calls_28"].fill_null(0.0), nothing
        ),
    )
