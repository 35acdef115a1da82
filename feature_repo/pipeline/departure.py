"""When an account's paid coverage ended, on the days on which none runs: what is known of an account to win back.

Trials are not paid. Coverage ends where a paid period ends and no other one runs on the day of that end; a gap of
more than the grace days, as labels count them by default, makes it one time more that the account has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.windows import MICRO

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from feature_repo.pipeline.frame import Frame

GRACE_DAYS = 30
"""A gap of at most this many days between paid periods is no departure."""

_UNPAID = "nonpayment"
_NEVER = 2**31
_DAY_SECONDS = 86_400


def departures(frame: Frame, rows: ir.Table) -> ir.Table:
    """Return the rows of the spine on which no paid period runs but one did before, with what ended.

    Columns: `account_id`, `day`, `days_since_end` (0 on the day of the end), `plan_at_end` (of the period that began
    last), `seats_at_end`, `mrr_at_end`, `ended_unpaid` (null if no reason is known) and `times_left`.

    Args:
        frame: Rows to make.
        rows: From `subscription_state.periods`.
    """
    ends = _ends(_paid(rows))
    spine = frame.spine
    joined = spine.inner_join(
        ends,
        [
            spine["account_id"] == ends["left_account"],
            spine["day"] >= ends["left_day"],
            spine["day"] < ends["back_day"],
        ],
    )
    return joined.select(
        "account_id",
        "day",
        "plan_at_end",
        "seats_at_end",
        "mrr_at_end",
        "ended_unpaid",
        "times_left",
        days_since_end=joined["day"] - joined["left_day"],
    )


def _paid(rows: ir.Table) -> ir.Table:
    """Return the paid periods, each with the stretch of unbroken coverage that it belongs to and its gap before."""
    rows = rows.filter(~rows["is_trial"].fill_null(False))
    rows = rows.filter(rows["ended_at"].isnull() | (rows["ended_at"] > rows["started_at"]))
    rows = rows.select(
        "account_id",
        "place",
        "begin_day",
        "plan",
        "seats",
        "micro_mrr",
        "end_reason",
        end_day=rows["end_day"].fill_null(_NEVER),
        begin=rows["started_at"].epoch_seconds().cast("int64"),
        end=rows["ended_at"].epoch_seconds().cast("int64").fill_null(_NEVER * _DAY_SECONDS),
    )
    before = ibis.window(group_by="account_id", order_by="place", rows=(None, -1))
    rows = rows.mutate(covered_day=rows["end_day"].max().over(before), covered=rows["end"].max().over(before))
    broken = (rows["begin_day"] > rows["covered_day"]).fill_null(False)
    left = (rows["begin"] > rows["covered"] + GRACE_DAYS * _DAY_SECONDS).fill_null(False)
    rows = rows.mutate(broken=broken.cast("int64"), left=left.cast("int64"))
    until_now = ibis.window(group_by="account_id", order_by="place", rows=(None, 0))
    return rows.mutate(
        stretch=rows["broken"].sum().over(until_now), spell=rows["left"].sum().over(until_now) + 1
    )


def _ends(paid: ir.Table) -> ir.Table:
    """Return one row a stretch that ended: when, when the next one began, and what the periods at its end were."""
    whole = ibis.window(group_by=("account_id", "stretch"))
    paid = paid.mutate(left_day=paid["end_day"].max().over(whole))
    at_end = paid["end_day"] == paid["left_day"]
    told = paid["end_reason"].notnull() & at_end
    unpaid = (paid["end_reason"] == _UNPAID).fill_null(False) & at_end
    ends = paid.group_by("account_id", "stretch", "left_day").agg(
        begin_day=paid["begin_day"].min(),
        plan_at_end=paid["plan"].argmax(paid["place"], where=at_end),
        seats_at_end=paid["seats"].sum(where=at_end).cast("int64"),
        mrr_at_end=paid["micro_mrr"].sum(where=at_end) / MICRO,
        told=told.cast("int64").max(),
        unpaid=unpaid.cast("int64").max(),
        times_left=paid["spell"].max(),
    )
    following = ibis.window(group_by="account_id", order_by="stretch")
    ends = ends.mutate(back_day=ends["begin_day"].lead().over(following).fill_null(_NEVER))
    ends = ends.filter(ends["left_day"] < _NEVER)
    return ends.select(
        "left_day",
        "back_day",
        "plan_at_end",
        "seats_at_end",
        "mrr_at_end",
        "times_left",
        left_account="account_id",
        ended_unpaid=ibis.ifelse(ends["told"] == 1, ends["unpaid"] == 1, ibis.null("boolean")),
    )
