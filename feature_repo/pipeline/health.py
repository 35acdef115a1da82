"""The `health` view: how the composite score stands today and how it moved over the last half-year.

A day's score comes from that day's rows of other views (`health_level`), so the view needs no raw table. The
score is kept in thousandths of a point, whole numbers, so that sums over windows are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import attach
from feature_repo.pipeline.health_level import NEEDS as LEVEL_NEEDS
from feature_repo.pipeline.health_level import level, parts
from feature_repo.pipeline.windows import MILLI, flag, lag, milli, ratio, rolling

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from feature_repo.pipeline.frame import Frame

SHORT, LONG, RECOVERED_IN = 28, 90, 180
LOOKBACK = RECOVERED_IN + SHORT
LEAST_DAYS = {SHORT: 14, LONG: 28}
"""Days with a known score that a deviation or slope needs."""
SLOPE_DAYS = 30.0
LOW_LIMIT = 50.0
RECOVERY_POINTS = 10.0

KNOWN_AFTER_END_DAYS = 60
"""Days after the end of paid coverage from which on an account without any subscription has no score."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    **LEVEL_NEEDS,
    "commercial": (*LEVEL_NEEDS["commercial"], "plan", "days_since_end"),
}

LOST: Mapping[str, tuple[str, ...]] = {}
"""No single table takes a feature away: its part of the score drops out."""


def scored(rows: ir.Table) -> ir.Table:
    """Return `account_id`, `day`, `score` (thousandths) and `days_since_last_touch` of *rows*, which hold `NEEDS`.

    Days on which nothing ran for long are left out, so that an account that comes back is not compared with them.
    """
    gone = (rows["days_since_end"] > KNOWN_AFTER_END_DAYS).fill_null(False) & rows["plan"].isnull()
    rows = rows.filter(~gone)
    known = rows.select("account_id", "day", "days_since_last_touch", **parts(rows))
    return known.select("account_id", "day", "days_since_last_touch", score=milli(level(known)))


def expression(frame: Frame, scored: ir.Table) -> ir.Table:
    """Return the features of the `health` view by `account_id` and `day`.

    Args:
        frame: The days to make.
        scored: The scores from `LOOKBACK` days before the first day on.
    """
    grid = attach(frame.dense(LOOKBACK, scored.select("account_id", "day")), scored)
    grid = frame.made(_windows(grid, frame.first - LOOKBACK))
    return _since_touch(_features(grid), scored)


def _windows(grid: ir.Table, start: int) -> ir.Table:
    """Add sums of scores, of their squares and of their times, and what is compared with them."""
    score = grid["score"]
    known = flag(score.notnull())
    # Time counts from the first day of the grid: the slope does not change, and the sums stay small.
    time = (grid["day"] - start).cast("float64") * known
    grid = grid.mutate(
        known=known,
        filled=score.fill_null(0.0),
        low_day=flag(score < LOW_LIMIT * MILLI),
        time=time,
        score_time=time * score.fill_null(0.0),
        time_squared=time * time,
        square=(score * score).fill_null(0.0),
        rise=score - score.min().over(_days(SHORT)),
    )
    grid = grid.mutate(
        recovered=flag(
            (grid["rise"] >= RECOVERY_POINTS * MILLI) & (lag(grid["rise"], 1) < RECOVERY_POINTS * MILLI)
        )
    )
    names = ("known", "filled", "square")
    sums = {f"{name}_{days}": rolling(grid[name], days) for name in names for days in (SHORT, LONG)}
    sums |= {
        f"{name}_{LONG}": rolling(grid[name], LONG)
        for name in ("low_day", "time", "score_time", "time_squared")
    }
    return grid.mutate(
        **sums,
        highest=grid["score"].max().over(_days(LONG)),
        recoveries=rolling(grid["recovered"], RECOVERED_IN),
        short_ago=lag(grid["score"], SHORT),
        long_ago=lag(grid["score"], LONG),
    )


def _days(days: int) -> ibis.expr.builders.WindowBuilder:
    return ibis.window(group_by="account_id", order_by="day", rows=(1 - days, 0))


def _features(grid: ir.Table) -> ir.Table:
    """Turn the windows into features, null on days without a score."""
    here = grid["score"].notnull()

    def today(value: ir.Column) -> ir.Column:
        return ibis.ifelse(here, value, ibis.null(value.type()))

    return grid.select(
        "account_id",
        "day",
        "score",
        health_score=grid["score"] / MILLI,
        health_score_28d_change=(grid["score"] - grid["short_ago"]) / MILLI,
        health_score_90d_change=(grid["score"] - grid["long_ago"]) / MILLI,
        health_score_90d_slope=today(_slope(grid)),
        health_score_28d_std=today(_deviation(grid, SHORT)),
        health_score_90d_std=today(_deviation(grid, LONG)),
        health_score_90d_drawdown=(grid["highest"] - grid["score"]) / MILLI,
        health_days_below_50_90d=today(grid[f"low_day_{LONG}"]),
        health_recoveries_180d=today(grid["recoveries"]),
    )


def _deviation(grid: ir.Table, days: int) -> ir.Column:
    """Return the sample standard deviation of the scores of *days* days, in points."""
    count, total, squares = (grid[f"{name}_{days}"] for name in ("known", "filled", "square"))
    variance = ratio(count * squares - total * total, count * (count - 1.0))
    return ibis.ifelse(count >= LEAST_DAYS[days], variance.sqrt() / MILLI, ibis.null("float64"))


def _slope(grid: ir.Table) -> ir.Column:
    """Return the least-squares slope of score on time over the long window, in points per 30 days."""
    count, total, time = grid[f"known_{LONG}"], grid[f"filled_{LONG}"], grid[f"time_{LONG}"]
    over = count * grid[f"score_time_{LONG}"] - time * total
    under = count * grid[f"time_squared_{LONG}"] - time * time
    slope = ratio(over, under) * SLOPE_DAYS / MILLI
    return ibis.ifelse(count >= LEAST_DAYS[LONG], slope, ibis.null("float64"))


def _since_touch(grid: ir.Table, scored: ir.Table) -> ir.Table:
    """Add the change of the score since the day of the last touch."""
    touched = attach(grid, scored.select("account_id", "day", "days_since_last_touch"))
    ago = touched["days_since_last_touch"]
    touched = touched.mutate(touch_day=ibis.ifelse(ago <= LONG, touched["day"] - ago, ibis.null("int64")))
    then = scored.select(then_account="account_id", then_day="day", then_score="score")
    joined = touched.left_join(
        then,
        [touched["account_id"] == then["then_account"], touched["touch_day"] == then["then_day"]],
    )
    return joined.mutate(health_score_since_touch_change=(joined["score"] - joined["then_score"]) / MILLI)
