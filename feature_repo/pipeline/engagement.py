"""The `engagement` view: how the customer's people answer to mails, calls, trainings and surveys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import MICRO, at_least, at_most, flag, micro, ratio, rolling, running_max

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 180
ONE_SIDED = ("email_sent", "unsubscribed")
"""Kinds that are no sign of contact."""

LOST = {
    "engagements": (
        "touches_28d",
        "days_since_last_touch",
        "email_open_ratio_90d",
        "calls_90d",
        "meetings_90d",
        "trainings_completed_180d",
        "nps_last",
        "sponsor_contacts_90d",
    )
}
"""Features that are null without a table."""

_COUNTED = {
    "sent": "email_sent",
    "opened": "email_opened",
    "calls": "call",
    "meetings": "meeting",
    "trainings": "training_completed",
    "sponsors": "sponsor_contact",
}


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `engagement` view that can be made, by `account_id` and `day`."""
    table = frame.tables.get("engagements")
    if table is None:
        return frame.spine
    start = frame.first - WINDOW
    rows = table.select("account_id", "kind", day=day_of(table["occurred_at"]), answer=micro(table["score"]))
    rows = rows.filter(rows["day"] <= frame.last)
    answers = rows.filter((rows["kind"] == "nps") & rows["answer"].notnull())
    answers = answers.group_by("account_id", "day").agg(
        answer=answers["answer"].sum(), answers=answers.count()
    )
    # All that is older than the windows lies on the first day, which only the running maxima reach.
    placed = rows.mutate(day=at_least(rows["day"], start), true_day=rows["day"])
    touch = placed["kind"].notin(ONE_SIDED)
    by_day = placed.group_by("account_id", "day").agg(
        **{name: flag(placed["kind"] == kind).sum() for name, kind in _COUNTED.items()},
        touches=flag(touch).sum(),
        touched=placed["true_day"].max(where=touch),
        surveyed=placed["true_day"].max(where=(placed["kind"] == "nps") & placed["answer"].notnull()),
    )
    grid = attach(frame.dense(WINDOW, rows), by_day)
    grid = grid.mutate(**{name: grid[name].fill_null(0.0) for name in (*_COUNTED, "touches")})
    grid = frame.made(
        grid.select(
            "account_id",
            "day",
            touches_28d=rolling(grid["touches"], 28),
            last_touch=running_max(grid["touched"]),
            last_survey=running_max(grid["surveyed"]),
            sent=rolling(grid["sent"], 90),
            opened=rolling(grid["opened"], 90),
            calls_90d=rolling(grid["calls"], 90),
            meetings_90d=rolling(grid["meetings"], 90),
            trainings_completed_180d=rolling(grid["trainings"], 180),
            sponsor_contacts_90d=rolling(grid["sponsors"], 90),
        )
    )
    return _with_answer(
        grid.mutate(
            days_since_last_touch=grid["day"] - grid["last_touch"],
            email_open_ratio_90d=at_most(ratio(grid["opened"], grid["sent"]), 1.0),
        ),
        answers,
    )


def _with_answer(grid: ir.Table, answers: ir.Table) -> ir.Table:
    """Add the mean answer of the last day that had one."""
    named = answers.rename(answer_account="account_id", answer_day="day")
    joined = grid.left_join(
        named,
        [grid["account_id"] == named["answer_account"], grid["last_survey"] == named["answer_day"]],
    )
    return joined.mutate(nps_last=ratio(joined["answer"], joined["answers"]) / MICRO)
