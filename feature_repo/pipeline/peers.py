"""The `peers` view: where the account stands among those of its segment and plan on the same day.

Only rows of the day itself are compared, of all accounts that have one and a running subscription, so that a
later account changes nothing. It is the one view that needs other accounts than its own; it needs no other day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.windows import ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from feature_repo.pipeline.frame import Frame

LOOKBACK = 0
LEAST_PEERS = 5
"""Known values in a group below which nothing is compared, the account's own among them."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "usage": (
        "active_users_28d_mean",
        "logins_28d",
        "events_28d",
        "active_users_28d_vs_baseline_ratio",
        "login_days_28d_vs_baseline_ratio",
        "events_28d_vs_baseline_ratio",
    ),
    "adoption": ("features_used_28d",),
    "commercial": ("plan", "seats", "mrr_per_seat"),
    "profile": ("segment",),
    "health": ("health_score",),
}

LOST: Mapping[str, tuple[str, ...]] = {"feature_usage": ("features_used_28d_peer_percentile",)}
"""Features that are null without a table."""

RANKED = {
    "usage_per_seat_28d_peer_percentile": "per_seat",
    "usage_28d_vs_baseline_peer_percentile": "change",
    "features_used_28d_peer_percentile": "breadth",
    "health_score_peer_percentile": "health",
}


def compared(rows: ir.Table) -> ir.Table:
    """Return what is compared, of the accounts among *rows* (which hold `NEEDS`) with a running subscription."""
    paying = rows.filter(rows["plan"].notnull())
    used = ibis.coalesce(
        paying["active_users_28d_mean"], paying["logins_28d"] / 28.0, paying["events_28d"] / 28.0
    )
    return paying.select(
        "account_id",
        "day",
        "plan",
        segment=paying["segment"].fill_null(""),
        per_seat=ratio(used, paying["seats"]),
        change=ibis.coalesce(
            paying["active_users_28d_vs_baseline_ratio"],
            paying["login_days_28d_vs_baseline_ratio"],
            paying["events_28d_vs_baseline_ratio"],
        ),
        breadth=paying["features_used_28d"].cast("float64"),
        health=paying["health_score"],
        price=paying["mrr_per_seat"],
    )


def expression(_: Frame, known: ir.Table) -> ir.Table:
    """Return the features of the `peers` view by `account_id` and `day`.

    Args:
        known: What is compared, of *all* accounts.
    """
    groups = known.group_by("day", "segment", "plan")
    medians = groups.agg(price_median=known["price"].quantile(0.5), prices=known["price"].count()).rename(
        group_day="day", group_segment="segment", group_plan="plan"
    )
    whole = known.group_by("day").agg(
        change_median=known["change"].quantile(0.5), changes=known["change"].count()
    )
    whole = whole.rename(whole_day="day")
    ranked = known.mutate(**{feature: _percentile(known, column) for feature, column in RANKED.items()})
    joined = ranked.left_join(
        medians,
        [
            ranked["day"] == medians["group_day"],
            ranked["segment"] == medians["group_segment"],
            ranked["plan"] == medians["group_plan"],
        ],
    )
    joined = joined.left_join(whole, joined["day"] == whole["whole_day"])
    nothing = ibis.null("float64")
    return joined.select(
        "account_id",
        "day",
        *RANKED,
        usage_28d_vs_baseline_seasonal_ratio=ibis.ifelse(
            joined["changes"] >= LEAST_PEERS, ratio(joined["change"], joined["change_median"]), nothing
        ),
        mrr_per_seat_vs_peers_ratio=ibis.ifelse(
            joined["prices"] >= LEAST_PEERS, ratio(joined["price"], joined["price_median"]), nothing
        ),
    )


def _percentile(known: ir.Table, column: str) -> ir.Column:
    """Return the share of the group's other known values that lie lower, ties counting half."""
    value = known[column]
    group = ("day", "segment", "plan")
    there = value.notnull()
    in_order = ibis.window(group_by=(*(known[name] for name in group), there), order_by=value)
    same = ibis.window(group_by=(*(known[name] for name in group), value))
    everyone = ibis.window(group_by=(*(known[name] for name in group), there))
    lower = ibis.rank().over(in_order).cast("float64")
    ties = (known["account_id"].count().over(same) - 1).cast("float64")
    number = known["account_id"].count().over(everyone).cast("float64")
    share = (lower + ties / 2.0) / (number - 1.0)
    return ibis.ifelse(there & (number >= LEAST_PEERS), share, ibis.null("float64"))
