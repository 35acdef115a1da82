"""The `external` view: signals from outside that concern the account, as they stood on record.

A signal counts from the day on which it came on record, whatever day it speaks of. It concerns an account by the
account's segment, industry or region as they are when a row is made, by its id, or as one of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.windows import MICRO, at_least, carried, flag, lag, micro, rolling, running_max
from feature_repo.tables.external_signals import ACCOUNT_COLUMNS, KINDS

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 90

LOST = {
    "external_signals": (
        *(f"{kind}_signal_{what}" for kind in KINDS for what in ("level", "change_90d")),
        "adverse_signals_90d",
        "days_since_adverse_signal",
        "days_since_external_signal",
    )
}
"""Features that are null without a table."""


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `external` view that can be made, by `account_id` and `day`."""
    table = frame.tables.get("external_signals")
    if table is None:
        return frame.spine
    rows = _concerning(frame, table)
    # All that is older than the window lies on the first day, which only what is carried on reaches.
    rows = rows.mutate(day=at_least(rows["true_day"], frame.first - WINDOW))
    in_order = ibis.window(group_by=("account_id", "day"), order_by=("known_at", "signal_id"))
    rows = rows.mutate(place=ibis.row_number().over(in_order))
    adverse = rows["level"] < 0
    by_day = rows.group_by("account_id", "day").agg(
        **{kind: rows["level"].argmax(rows["place"], where=rows["kind"] == kind) for kind in KINDS},
        adverse=flag(adverse & (rows["true_day"] == rows["day"])).sum(),
        adverse_day=rows["true_day"].max(where=adverse),
        signal_day=rows["true_day"].max(),
    )
    grid = carried(attach(frame.dense(WINDOW, rows), by_day), *KINDS)
    grid = frame.made(
        grid.mutate(
            **{f"{kind}_then": lag(grid[kind], WINDOW) for kind in KINDS},
            adverse_signals_90d=rolling(grid["adverse"].fill_null(0.0), WINDOW),
            adverse_day=running_max(grid["adverse_day"]),
            signal_day=running_max(grid["signal_day"]),
        )
    )
    return grid.select(
        "account_id",
        "day",
        "adverse_signals_90d",
        **{f"{kind}_signal_level": grid[kind] / MICRO for kind in KINDS},
        **{f"{kind}_signal_change_90d": (grid[kind] - grid[f"{kind}_then"]) / MICRO for kind in KINDS},
        days_since_adverse_signal=grid["day"] - grid["adverse_day"],
        days_since_external_signal=grid["day"] - grid["signal_day"],
    )


def _concerning(frame: Frame, table: ir.Table) -> ir.Table:
    """Return the signals up to the last day beside each account of the frame that they concern."""
    signals = table.select(
        "signal_id",
        "known_at",
        "kind",
        "scope",
        "scope_id",
        level=micro(table["level"]),
        true_day=day_of(table["known_at"]),
    )
    signals = signals.filter(signals["true_day"] <= frame.last)
    accounts = frame.tables["accounts"].select("account_id", *ACCOUNT_COLUMNS)
    parts = [accounts.select("account_id").cross_join(signals.filter(signals["scope"] == "all"))]
    for scope, column in (("account", "account_id"), *((name, name) for name in ACCOUNT_COLUMNS)):
        named = signals.filter(signals["scope"] == scope)
        keyed = accounts.select("account_id", concerned=accounts[column])
        parts.append(keyed.inner_join(named, keyed["concerned"] == named["scope_id"]).drop("concerned"))
    return ibis.union(*parts)
