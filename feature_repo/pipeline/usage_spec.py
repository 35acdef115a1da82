"""What the `usage` view promises: names, types, words. The expressions stand in `usage`."""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

USAGE = ViewSpec(
    name="usage",
    description="How much the account uses the product, against its own past.",
    owner="product-analytics",
    freshness_days=2,
    tables=("usage_daily", "feature_usage"),
    features=(
        Feature(
            "logins_7d",
            "Float64",
            "Log-ins in the last 7 days.",
            "logins",
            "{value} log-ins in the last 7 days",
        ),
        Feature(
            "logins_28d",
            "Float64",
            "Log-ins in the last 28 days.",
            "logins",
            "{value} log-ins in the last 28 days",
        ),
        Feature(
            "login_days_28d",
            "Int64",
            "Days of the last 28 with at least one log-in.",
            "logins",
            "Somebody logged in on {value} of the last 28 days",
        ),
        Feature(
            "login_days_28d_vs_baseline_ratio",
            "Float64",
            "Share of days with a log-in in the last 28 days, divided by that of the 90 days before.",
            "logins",
            "Log-ins {change} against this account's own 90-day baseline",
        ),
        Feature(
            "active_users_28d_mean",
            "Float64",
            "Mean number of active users a day over the last 28 days.",
            "active_users",
            "{value} active users a day over the last 28 days",
        ),
        Feature(
            "active_users_28d_vs_baseline_ratio",
            "Float64",
            "Mean active users a day over the last 28 days, divided by the mean over the 90 days before.",
            "active_users",
            "Active users {change} against this account's own 90-day baseline",
        ),
        Feature(
            "api_calls_28d",
            "Float64",
            "API calls in the last 28 days.",
            "api_calls",
            "{value} API calls in the last 28 days",
        ),
        Feature(
            "api_calls_wow_ratio",
            "Float64",
            "API calls of the last 7 days divided by those of the 7 days before.",
            "api_calls",
            "API calls {change} from one week to the next",
        ),
        Feature(
            "api_calls_28d_vs_baseline_ratio",
            "Float64",
            "API calls a day over the last 28 days, divided by those over the 90 days before.",
            "api_calls",
            "API calls {change} against this account's own 90-day baseline",
        ),
        Feature(
            "events_7d",
            "Float64",
            "Product events in the last 7 days.",
            "events",
            "{value} actions in the product in the last 7 days",
        ),
        Feature(
            "events_28d",
            "Float64",
            "Product events in the last 28 days.",
            "events",
            "{value} actions in the product in the last 28 days",
        ),
        Feature(
            "events_28d_vs_baseline_ratio",
            "Float64",
            "Product events a day over the last 28 days, divided by those over the 90 days before.",
            "events",
            "Actions in the product {change} against this account's own 90-day baseline",
        ),
        Feature(
            "active_days_28d",
            "Int64",
            "Days of the last 28 with any activity at all.",
            "activity",
            "Active on {value} of the last 28 days",
        ),
        Feature(
            "days_since_last_active",
            "Int64",
            "Days since the last day with any activity; 0 on an active day.",
            "activity",
            "{days} since the last activity",
        ),
        Feature(
            "storage_gb",
            "Float64",
            "Storage in use, the last known level in GB.",
            "storage",
            "{value} GB of storage in use",
        ),
        Feature(
            "invites_28d",
            "Float64",
            "Colleagues invited in the last 28 days.",
            "invites",
            "{value} colleagues invited in the last 28 days",
        ),
        Feature(
            "usage_trend_28d_slope",
            "Float64",
            "Weekly change of the busiest known metric over the last four weeks, as a share of the mean week "
            "(least squares; events, else API calls, else log-ins, else active users).",
            "trend",
            "Usage moved by {percent} % a week over the last four weeks",
        ),
        Feature(
            "usage_3d_vs_weekdays_56d_ratio",
            "Float64",
            "The busiest known metric over the last 3 days, divided by its mean on the same weekdays of the 8 weeks "
            "before.",
            "seasonal_usage",
            "Usage of the last 3 days {change} against the same weekdays of the 8 weeks before",
        ),
        Feature(
            "usage_28d_vs_year_ago_ratio",
            "Float64",
            "The busiest metric that is known for more than a year, over the last 28 days, divided by the same days a "
            "year (52 weeks) ago.",
            "seasonal_usage",
            "Usage {change} against the same weeks a year ago",
        ),
    ),
)
