"""`usage_daily`: one number an account, day and metric."""

from feature_repo.tables.contract import Column, Kind, Table

COUNT_METRICS = (
    "logins",
    "active_users",
    "sessions",
    "api_calls",
    "events",
    "invites",
    "page_views",
    "content_views",
)
"""Metrics where a day without a row counts as zero once the account has reported the metric."""

GAUGE_METRICS = ("storage_gb",)
"""Metrics where a day without a row keeps the last known value."""

USAGE_DAILY = Table(
    name="usage_daily",
    row="one account, day and metric",
    key=("account_id", "day", "metric"),
    time="day",
    feeds=("usage",),
    columns=(
        Column("account_id", Kind.STRING, "The account."),
        Column("day", Kind.DATE, "The UTC day."),
        Column("metric", Kind.STRING, "What was measured.", values=(*COUNT_METRICS, *GAUGE_METRICS)),
        Column(
            "value", Kind.FLOAT, "The day's total (`storage_gb`: the level at the end of the day).", minimum=0
        ),
    ),
)
