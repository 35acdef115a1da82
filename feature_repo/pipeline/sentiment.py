"""The `sentiment` view: how many tickets, how grave, how fast they were answered, and in what mood.

What a ticket tells becomes known in three steps: at its opening, at the first answer, and at its closure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import MICRO, at_least, micro, ratio, rolling, running_sum

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 90
LEAST_TICKETS_FOR_A_SLOPE = 3
SLOPE_DAYS = 30

LOST = {
    "support_tickets": (
        "tickets_90d",
        "urgent_tickets_90d",
        "escalations_90d",
        "complaints_90d",
        "open_tickets",
        "ticket_sentiment_90d_mean",
        "ticket_sentiment_90d_slope",
        "csat_90d_mean",
        "first_response_hours_90d_mean",
    )
}
"""Features that are null without a table."""

_FACTS = (
    "opened",
    "urgent",
    "complaints",
    "moods",
    "mood",
    "mood_time",
    "time",
    "time_squared",
    "answered",
    "answer_seconds",
    "closed",
    "escalated",
    "ratings",
    "rating",
)


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `sentiment` view that can be made, by `account_id` and `day`."""
    tickets = frame.tables.get("support_tickets")
    if tickets is None:
        return frame.spine
    start = frame.first - WINDOW
    facts = _opened(tickets, start).union(_answered(tickets), _closed(tickets))
    facts = facts.filter(facts["day"] <= frame.last)
    # All that is older than the windows lies on the first day, which only the running sums reach.
    facts = facts.mutate(day=at_least(facts["day"], start))
    by_day = facts.group_by("account_id", "day").agg(**{name: facts[name].sum() for name in _FACTS})
    grid = attach(frame.dense(WINDOW, facts), by_day)
    grid = grid.mutate(**{name: grid[name].fill_null(0.0) for name in _FACTS})
    sums = {name: rolling(grid[name], WINDOW) for name in _FACTS if name != "closed"}
    grid = frame.made(
        grid.select(
            "account_id", "day", **sums, still_open=running_sum(grid["opened"]) - running_sum(grid["closed"])
        )
    )
    return grid.select(
        "account_id",
        "day",
        tickets_90d=grid["opened"],
        urgent_tickets_90d=grid["urgent"],
        escalations_90d=grid["escalated"],
        complaints_90d=grid["complaints"],
        open_tickets=grid["still_open"],
        ticket_sentiment_90d_mean=ratio(grid["mood"], grid["moods"]) / MICRO,
        ticket_sentiment_90d_slope=_slope(grid),
        csat_90d_mean=ratio(grid["rating"], grid["ratings"]) / MICRO,
        first_response_hours_90d_mean=ratio(grid["answer_seconds"], grid["answered"]) / 3600.0,
    )


def _slope(grid: ir.Table) -> ir.Column:
    """Return the least-squares slope of mood on time, from sums of whole numbers."""
    count = grid["moods"]
    over = count * grid["mood_time"] - grid["time"] * grid["mood"]
    under = count * grid["time_squared"] - grid["time"] * grid["time"]
    slope = ratio(over, under) * float(SLOPE_DAYS) / MICRO
    return ibis.ifelse(count >= LEAST_TICKETS_FOR_A_SLOPE, slope, ibis.null("float64"))


def _facts(tickets: ir.Table, day: ir.Column, **facts: ir.Column) -> ir.Table:
    """Return one row a ticket on *day* with *facts*, the other facts 0."""
    nothing = ibis.literal(0.0)
    filled = {name: facts.get(name, nothing).cast("float64").fill_null(0.0) for name in _FACTS}
    rows = tickets.select("account_id", day=day, **filled)
    return rows.filter(rows["day"].notnull())


def _opened(tickets: ir.Table, start: int) -> ir.Table:
    day = day_of(tickets["opened_at"])
    mood = micro(tickets["sentiment"])
    # Time counts from the window's start: the slope does not change, and the sums stay small.
    time = ibis.ifelse(mood.notnull(), (day - start).cast("float64"), ibis.null("float64"))
    return _facts(
        tickets,
        day,
        opened=ibis.literal(1),
        urgent=tickets["priority"] == "urgent",
        complaints=tickets["is_complaint"],
        moods=mood.notnull(),
        mood=mood,
        mood_time=mood * time,
        time=time,
        time_squared=time * time,
    )


def _answered(tickets: ir.Table) -> ir.Table:
    answer = tickets["first_response_at"]
    return _facts(
        tickets,
        day_of(answer),
        answered=ibis.literal(1),
        answer_seconds=answer.delta(tickets["opened_at"], unit="second"),
    )


def _closed(tickets: ir.Table) -> ir.Table:
    rating = micro(tickets["csat"])
    return _facts(
        tickets,
        day_of(tickets["closed_at"]),
        closed=ibis.literal(1),
        escalated=tickets["escalated"],
        ratings=rating.notnull(),
        rating=rating,
    )
