"""The `engagement` view: how the customer's people answer to mails, calls, trainings and surveys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import (
    MICRO,
    at_least,
    at_most,
    flag,
    micro,
    ratio,
    rolling,
    running_max,
    running_sum,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 180
PEOPLE_WINDOW = 90
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
        "people_touched_90d",
        "days_since_sponsor_contact",
        "days_since_training",
        "email_click_ratio_90d",
        "nps_change",
    )
}
"""Features that are null without a table."""

_COUNTED = {
    "sent": "email_sent",
    "opened": "email_opened",
    "clicked": "email_clicked",
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
    rows = table.select(
        "account_id", "kind", "person_id", day=day_of(table["occurred_at"]), answer=micro(table["score"])
    )
    rows = rows.filter(rows["day"] <= frame.last)
    answers = rows.filter((rows["kind"] == "nps") & rows["answer"].notnull())
    answers = answers.group_by("account_id", "day").agg(
        answer=answers["answer"].sum(), answers=answers.count()
    )
    in_order = ibis.window(group_by="account_id", order_by="day")
    answers = answers.mutate(before=ratio(answers["answer"], answers["answers"]).lag().over(in_order))
    # All that is older than the windows lies on the first day, which only the running maxima reach.
    placed = rows.mutate(day=at_least(rows["day"], start), true_day=rows["day"])
    touch = placed["kind"].notin(ONE_SIDED)
    by_day = placed.group_by("account_id", "day").agg(
        **{name: flag(placed["kind"] == kind).sum() for name, kind in _COUNTED.items()},
        touches=flag(touch).sum(),
        touched=placed["true_day"].max(where=touch),
        sponsor_met=placed["true_day"].max(where=placed["kind"] == "sponsor_contact"),
        trained=placed["true_day"].max(where=placed["kind"] == "training_completed"),
        surveyed=placed["true_day"].max(where=(placed["kind"] == "nps") & placed["answer"].notnull()),
    )
    grid = attach(attach(frame.dense(WINDOW, rows), by_day), _people_steps(rows, start))
    counted = (*_COUNTED, "touches", "people_step")
    grid = grid.mutate(**{name: grid[name].fill_null(0.0) for name in counted})
    grid = frame.made(
        grid.select(
            "account_id",
            "day",
            touches_28d=rolling(grid["touches"], 28),
            last_touch=running_max(grid["touched"]),
            last_survey=running_max(grid["surveyed"]),
            sent=rolling(grid["sent"], 90),
            opened=rolling(grid["opened"], 90),
            clicked=rolling(grid["clicked"], 90),
            people_touched_90d=running_sum(grid["people_step"]),
            sponsor_met=running_max(grid["sponsor_met"]),
            trained=running_max(grid["trained"]),
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
            email_click_ratio_90d=at_most(ratio(grid["clicked"], grid["sent"]), 1.0),
            days_since_sponsor_contact=grid["day"] - grid["sponsor_met"],
            days_since_training=grid["day"] - grid["trained"],
        ),
        answers,
    )


def _people_steps(rows: ir.Table, start: int) -> ir.Table:
    """Return the steps of the number of different people touched in a window; summed from *start* on, it is it."""
    touched = rows.filter(rows["kind"].notin(ONE_SIDED) & rows["person_id"].notnull())
    touched = touched.group_by("account_id", "person_id", "day").agg()
    in_order = ibis.window(group_by=("account_id", "person_id"), order_by="day")
    spaced = touched.mutate(
        gap_before=touched["day"] - touched["day"].lag().over(in_order),
        gap_after=touched["day"].lead().over(in_order) - touched["day"],
    )
    begins = spaced.filter(spaced["gap_before"].isnull() | (spaced["gap_before"] >= PEOPLE_WINDOW))
    ends = spaced.filter(spaced["gap_after"].isnull() | (spaced["gap_after"] >= PEOPLE_WINDOW))
    one = ibis.literal(1.0)
    steps = begins.select("account_id", "day", step=one).union(
        ends.select("account_id", day=ends["day"] + PEOPLE_WINDOW, step=-one)
    )
    placed = steps.mutate(day=at_least(steps["day"], start))
    return placed.group_by("account_id", "day").agg(people_step=placed["step"].sum())


def _with_answer(grid: ir.Table, answers: ir.Table) -> ir.Table:
    """Add the mean answer of the last day that had one."""
    named = answers.rename(answer_account="account_id", answer_day="day")
    joined = grid.left_join(
        named,
        [grid["account_id"] == named["answer_account"], grid["last_survey"] == named["answer_day"]],
    )
    last = ratio(joined["answer"], joined["answers"])
    return joined.mutate(nps_last=last / MICRO, nps_change=(last - joined["before"]) / MICRO)
