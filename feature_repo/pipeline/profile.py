"""The `profile` view: who the account is and what holds back an action right now.

The account's own columns are slowly changing: a row carries them as they were when the row was made. What has
a time of its own (onboarding, incidents, complaints, subscriptions) counts only from that time on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.frame import Frame, attach, day_of
from feature_repo.pipeline.subscription_state import periods, running_periods
from feature_repo.pipeline.windows import at_least, rolling, running_max, running_sum

if TYPE_CHECKING:
    import ibis.expr.types as ir

WINDOW = 28
AS_GIVEN = (
    "segment",
    "industry",
    "region",
    "timezone",
    "locale",
    "employees",
    "consent_email",
    "consent_in_app",
    "consent_phone",
    "preferred_channel",
    "quiet_hours_start",
    "quiet_hours_end",
)

LOST = {"incidents": ("incidents_28d", "incident_active"), "support_tickets": ("last_complaint_days",)}
"""Features that are null without a table."""


def expression(frame: Frame) -> ir.Table:
    """Return the features of the `profile` view that can be made, by `account_id` and `day`."""
    accounts = frame.tables["accounts"]
    given = accounts.select(
        "account_id",
        *AS_GIVEN,
        created_day=day_of(accounts["created_at"]),
        onboarded_day=day_of(accounts["onboarded_at"]),
    )
    state = running_periods(periods(frame), frame.first, frame.last).select("account_id", "day", "running")
    grid = attach(attach(frame.spine, given), state)
    grid = grid.mutate(
        account_age_days=ibis.ifelse(
            grid["created_day"] <= grid["day"], grid["day"] - grid["created_day"], ibis.null("int64")
        ),
        onboarding_days=ibis.ifelse(
            grid["created_day"] <= grid["day"],
            ibis.ifelse(
                (grid["onboarded_day"] <= grid["day"]).fill_null(False), grid["onboarded_day"], grid["day"]
            )
            - grid["created_day"],
            ibis.null("int64"),
        ),
        onboarded=(grid["onboarded_day"] <= grid["day"]).fill_null(False),
        has_active_subscription=grid["running"].notnull(),
    )
    for part in (_incidents(frame), _complaints(frame)):
        if part is not None:
            grid = attach(grid, part)
    return grid


def _complaints(frame: Frame) -> ir.Table | None:
    """Return the days since the last complaint."""
    tickets = frame.tables.get("support_tickets")
    if tickets is None:
        return None
    rows = tickets.filter(tickets["is_complaint"]).select("account_id", true_day=day_of(tickets["opened_at"]))
    rows = rows.filter(rows["true_day"] <= frame.last)
    rows = rows.mutate(day=at_least(rows["true_day"], frame.first))
    by_day = rows.group_by("account_id", "day").agg(complained=rows["true_day"].max())
    grid = attach(frame.dense(0, rows), by_day)
    return grid.select("account_id", "day", last_complaint_days=grid["day"] - running_max(grid["complained"]))


def _incidents(frame: Frame) -> ir.Table | None:
    """Return how many incidents began lately, and whether one goes on, for each account that they affect."""
    table = frame.tables.get("incidents")
    if table is None:
        return None
    incidents = table.select(
        "scope", "scope_id", begin_day=day_of(table["started_at"]), end_day=day_of(table["ended_at"])
    )
    incidents = incidents.filter(incidents["begin_day"] <= frame.last)
    accounts = frame.tables["accounts"].select("account_id", "region")
    affected = accounts.inner_join(
        incidents,
        (incidents["scope"] == "all")
        | ((incidents["scope"] == "region") & (incidents["scope_id"] == accounts["region"]))
        | ((incidents["scope"] == "account") & (incidents["scope_id"] == accounts["account_id"])),
    )
    one = ibis.literal(1.0)
    begun = affected.select("account_id", day=affected["begin_day"], begun=one, going=one)
    over = affected.filter(affected["end_day"] <= frame.last)
    over = over.select("account_id", day=over["end_day"], begun=one * 0, going=-one)
    facts = begun.union(over)
    # All that is older than the window lies on the first day, which only the running sum reaches.
    facts = facts.mutate(day=at_least(facts["day"], frame.first - WINDOW))
    by_day = facts.group_by("account_id", "day").agg(begun=facts["begun"].sum(), going=facts["going"].sum())
    grid = attach(frame.dense(WINDOW, facts), by_day)
    grid = grid.mutate(begun=grid["begun"].fill_null(0.0), going=grid["going"].fill_null(0.0))
    return frame.made(
        grid.select(
            "account_id",
            "day",
            incidents_28d=rolling(grid["begun"], WINDOW),
            incident_active=running_sum(grid["going"]) > 0,
        )
    )
