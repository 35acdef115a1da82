"""Which subscriptions run at the end of a day, and which of them is the current one.

A period runs on day D if it began on D or before and is not known to have ended by then. The current one is
the one that began last; seats and revenue are summed over all that run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, day_of, days_between
from feature_repo.pipeline.windows import micro

if TYPE_CHECKING:
    import ibis.expr.types as ir


def periods(frame: Frame) -> ir.Table:
    """Return the subscription periods that began by the last day, with day numbers and an order.

    Columns: those of `subscriptions`, `begin_day`, `end_day` (null if not over by the last day), `place`
        (int64, rising with the time at which the account's periods began), `previous_plan`.
    """
    table = frame.tables["subscriptions"]
    rows = table.mutate(
        begin_day=day_of(table["started_at"]),
        end_day=day_of(table["ended_at"]),
        micro_mrr=micro(table["mrr"]),
    )
    rows = rows.filter(rows["begin_day"] <= frame.last)
    in_order = ibis.window(
        group_by="account_id", order_by=[rows["started_at"], rows["micro_mrr"], rows["subscription_id"]]
    )
    return rows.mutate(
        place=ibis.row_number().over(in_order),
        previous_plan=rows["plan"].lag().over(in_order),
    )


def running_periods(rows: ir.Table, first: int, last: int) -> ir.Table:
    """Return, by account and day with a running subscription, how many, `seats`, `micro_mrr` and `place`.

    Args:
        rows: From `periods`.
        first: Day number of the first day.
        last: Day number of the last day.
    """
    days = days_between(first, last)
    joined = rows.inner_join(
        days,
        [
            days["day"] >= rows["begin_day"],
            days["day"] < ibis.coalesce(rows["end_day"], ibis.literal(last + 1)),
        ],
    )
    return joined.group_by("account_id", "day").agg(
        running=joined.count(),
        seats=joined["seats"].sum().cast("float64"),
        micro_mrr=joined["micro_mrr"].sum(),
        place=joined["place"].max(),
    )


def with_current(state: ir.Table, rows: ir.Table) -> ir.Table:
    """Add the current period's terms and limits to *state*, which has `account_id` and `place`."""
    terms = rows.select(
        "plan",
        "is_trial",
        "auto_renew",
        "bill_period_months",
        "discount_ratio",
        "list_mrr",
        "api_calls_limit_per_month",
        "storage_limit_gb",
        "features_available",
        own_mrr=rows["mrr"],
        term_end_day=day_of(rows["term_end_at"]),
        term_account="account_id",
        term_place="place",
    )
    joined = state.left_join(
        terms, [state["account_id"] == terms["term_account"], state["place"] == terms["term_place"]]
    )
    return joined.drop("term_account", "term_place")


def current_subscription(frame: Frame) -> ir.Table:
    """Return the state and the current period's terms for the rows of the spine that have a subscription."""
    rows = periods(frame)
    state = running_periods(rows, frame.first, frame.last)
    return with_current(state, rows)
