"""Importer of RavenStack: a synthetic SaaS company by Rivalytics whose labels contradict its events.

Every contradiction is counted in the report. What can't have happened is left out (usage before the account
had any subscription, tickets before it signed up); what merely disagrees is kept as it stands and said.
"""

# ruff: noqa: S608 - the SQL is put together from constants and a date

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from feature_repo.errors import ImportSourceError
from feature_repo.importers.ravenstack_findings import drops, findings
from feature_repo.importers.report import ImportReport
from feature_repo.importers.writing import PlanPrice, one, open_source, write_catalogue, write_table
from feature_repo.tables.dataset import DatasetInfo, save_dataset_info

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

NAME = "ravenstack"
PLANS = ("Basic", "Pro", "Enterprise")
DAY = "%d-%m-%Y"
MINUTE = "%d-%m-%Y %H:%M"
FILES = {
    "ravenstack_accounts.csv": (
        "account_id",
        "account_name",
        "industry",
        "country",
        "signup_date",
        "referral_source",
        "churn_flag",
    ),
    "ravenstack_subscriptions.csv": (
        "subscription_id",
        "account_id",
        "start_date",
        "end_date",
        "plan_tier",
        "seats",
        "mrr_amount",
        "is_trial",
        "churn_flag",
        "billing_frequency",
        "auto_renew_flag",
    ),
    "ravenstack_feature_usage.csv": (
        "usage_id",
        "subscription_id",
        "usage_date",
        "feature_name",
        "usage_count",
        "error_count",
    ),
    "ravenstack_support_tickets.csv": (
        "ticket_id",
        "account_id",
        "submitted_at",
        "closed_at",
        "priority",
        "first_response_time_minutes",
        "satisfaction_score",
        "escalation_flag",
    ),
    "ravenstack_churn_events.csv": ("churn_event_id", "account_id", "churn_date"),
}
TIMES = {
    "ravenstack_accounts": {"signup_date": DAY},
    "ravenstack_subscriptions": {"start_date": DAY, "end_date": DAY},
    "ravenstack_feature_usage": {"usage_date": DAY},
    "ravenstack_support_tickets": {"submitted_at": DAY, "closed_at": MINUTE},
    "ravenstack_churn_events": {"churn_date": DAY},
}

_FIRST_START = """
CREATE OR REPLACE TEMP TABLE first_start AS
SELECT account_id, min(start_date) AS first_start_date FROM ravenstack_subscriptions GROUP BY account_id
"""

_USAGE = """
CREATE OR REPLACE TEMP TABLE usage AS
SELECT u.*, s.account_id, s.start_date, s.end_date, f.first_start_date, a.signup_date
FROM ravenstack_feature_usage AS u
LEFT JOIN ravenstack_subscriptions AS s USING (subscription_id)
LEFT JOIN first_start AS f ON f.account_id = s.account_id
LEFT JOIN ravenstack_accounts AS a ON a.account_id = s.account_id
"""

_TABLES = {
    "accounts": """
SELECT account_id, signup_date AS created_at, account_name, industry, country AS region,
       referral_source AS acquisition_channel
FROM ravenstack_accounts
""",
    "subscriptions": """
SELECT subscription_id, account_id, plan_tier AS plan, seats::BIGINT AS seats, mrr_amount::DOUBLE AS mrr,
       start_date AS started_at, CASE WHEN end_date < {end} THEN end_date END AS ended_at,
       CASE WHEN churn_flag::BOOLEAN AND end_date < {end} THEN 'voluntary' END AS end_reason,
       is_trial::BOOLEAN AS is_trial,
       CASE billing_frequency WHEN 'monthly' THEN 1 WHEN 'annual' THEN 12 END::BIGINT AS bill_period_months,
       auto_renew_flag::BOOLEAN AS auto_renew
FROM ravenstack_subscriptions
""",
    "feature_usage": """
SELECT account_id, usage_date::DATE AS day, feature_name AS feature_key,
       sum(usage_count::BIGINT)::BIGINT AS "count", sum(error_count::BIGINT)::BIGINT AS errors
FROM usage WHERE usage_date >= first_start_date GROUP BY ALL
""",
    "support_tickets": """
SELECT ticket_id, account_id, submitted_at AS opened_at,
       submitted_at + to_minutes(first_response_time_minutes::BIGINT) AS first_response_at,
       CASE WHEN closed_at < {end} THEN closed_at END AS closed_at,
       CASE priority WHEN 'medium' THEN 'normal' ELSE priority END AS priority,
       escalation_flag::BOOLEAN AS escalated, satisfaction_score::DOUBLE AS csat
FROM ravenstack_support_tickets AS t JOIN ravenstack_accounts AS a USING (account_id)
WHERE submitted_at >= signup_date
""",
}


def import_ravenstack(con: duckdb.DuckDBPyConnection, source: Path, out: Path) -> ImportReport:
    """Write the raw tables of the RavenStack data set in *source* into the empty folder *out*.

    Raises:
        ImportSourceError: *source* is not laid out as this importer expects.
    """
    open_source(con, source, FILES)
    for name, columns in TIMES.items():
        _parse_times(con, name, columns)
    con.execute(_FIRST_START)
    con.execute(_USAGE)
    end_day = one(
        con,
        "SELECT greatest(max(usage_date), (SELECT max(start_date) FROM ravenstack_subscriptions), (SELECT "
        "max(submitted_at) FROM ravenstack_support_tickets))::DATE FROM ravenstack_feature_usage",
    )
    if end_day is None:
        raise ImportSourceError(f"{source}: its files hold no rows")
    end = f"TIMESTAMPTZ '{end_day + dt.timedelta(days=1)}'"
    written = tuple(write_table(con, out, name, select.format(end=end)) for name, select in _TABLES.items())
    save_dataset_info(DatasetInfo(name=NAME, synthetic=True, end_day=end_day, plan_order=PLANS), out)
    write_catalogue(out, NAME, _plan_prices(con))
    return ImportReport(
        importer=NAME,
        tables=written,
        drops=drops(con),
        findings=findings(con),
        notes=(
            "Labels of this set contradict its events: use it to try dirty data, never to judge a model.",
            (
                "A subscription that ended with its churn flag set ended voluntarily; labels come from "
                "subscriptions alone, so an account that keeps another subscription has not left."
            ),
            (
                "upgrade_flag and downgrade_flag carry no time and are left out, as are plan_tier, seats, "
                "is_trial and churn_flag of accounts (values of the export's day) and usage_duration_secs."
            ),
            "Uses of one feature by one account on one day are added up.",
            (
                "Tickets have a day but no hour: they count as opened at midnight UTC, as closing times "
                "imply. Their priority 'medium' is written as 'normal'."
            ),
            "is_beta_feature varies from row to row for the same feature, so no tier is derived from it.",
            "Prices are per seat: every paid row's MRR is its seats times its plan's price.",
        ),
    )


def _parse_times(con: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str]) -> None:
    """Turn the text *columns* of table *name* into UTC timestamps.

    Raises:
        ImportSourceError: A text is not of the column's form.
    """
    for column, form in columns.items():
        bad = con.execute(
            f"SELECT count(*), any_value({column}) FROM {name} "
            f"WHERE {column} IS NOT NULL AND try_strptime({column}, '{form}') IS NULL"
        ).fetchall()[0]
        if bad[0]:
            raise ImportSourceError(
                f"{name}.csv: {bad[0]} values of {column} are not {form}, such as {bad[1]!r}"
            )
    parsed = ", ".join(
        f"strptime({column}, '{form}')::TIMESTAMPTZ AS {column}" for column, form in columns.items()
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * REPLACE ({parsed}) FROM {name}")


def _plan_prices(con: duckdb.DuckDBPyConnection) -> list[PlanPrice]:
    """Return each plan's price per seat, the median over its paid subscriptions."""
    rows = con.execute(
        "SELECT plan_tier, median(mrr_amount::DOUBLE / seats::DOUBLE) FROM ravenstack_subscriptions "
        "WHERE NOT is_trial::BOOLEAN AND seats::BIGINT > 0 GROUP BY plan_tier "
        f"ORDER BY list_position({list(PLANS)}, plan_tier)"
    ).fetchall()
    return [
        PlanPrice(key=plan, mrr_list=float(price), price_per_seat=float(price), seats_included=1)
        for plan, price in rows
    ]
