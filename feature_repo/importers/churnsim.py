"""Importer of the ChurnSim data set "crm5": two years of a simulated B2B CRM product.

The simulator ("Fighting Churn with Data") writes a billing period a row. What its rows mean was checked:
`mrr` is net of `discount`; every product has one undiscounted price; periods follow each other without a gap;
no period starts after the simulation's last day, though usage of periods begun before goes on for a month.
"""

# ruff: noqa: S608 - the SQL is put together from constants and a date

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from feature_repo.errors import ImportSourceError
from feature_repo.importers.report import Drop, Finding, ImportReport
from feature_repo.importers.writing import PlanPrice, one, open_source, write_catalogue, write_table
from feature_repo.tables.dataset import DatasetInfo, save_dataset_info

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

NAME = "churnsim"
PLANS = ("starter", "basic", "standard", "advanced", "premier")
ADD_ONS = ("meetings", "search_unlimited")
GRACE_DAYS = 30
FILES = {
    "accounts.parquet": ("account_id", "channel", "country"),
    "subscriptions.parquet": (
        "account_id",
        "product",
        "start_date",
        "end_date",
        "mrr",
        "quantity",
        "bill_period_months",
        "discount",
    ),
    "daily_active.parquet": ("account_id", "date", "events", "active_users"),
    "daily_usage.parquet": ("account_id", "date", "event_type", "event_count"),
}

_PERIODS = """
CREATE OR REPLACE TEMP TABLE periods AS
SELECT p.*,
       list_position($plans, plan) AS rank,
       row_number() OVER account AS number,
       lead(start_date) OVER account AS next_start,
       lead(list_position($plans, plan)) OVER account AS next_rank,
       lead(quantity) OVER account AS next_quantity
FROM (SELECT *, split_part(product, '_', 1) AS plan FROM subscriptions) AS p
WHERE list_contains($plans, plan)
WINDOW account AS (PARTITION BY account_id ORDER BY start_date, end_date, product)
"""

_LIST_PRICES = """
CREATE OR REPLACE TEMP TABLE list_prices AS
SELECT product, any_value(plan) AS plan, min(bill_period_months) AS months, max(quantity) AS seats,
       coalesce(max(mrr) FILTER (discount = 0), max(round(mrr / (1 - least(discount, 0.99))))) AS list_mrr
FROM periods GROUP BY product
"""

_SUBSCRIPTIONS = """
SELECT account_id || '-' || lpad(number::VARCHAR, 3, '0') AS subscription_id,
       account_id::VARCHAR AS account_id,
       periods.plan,
       quantity::BIGINT AS seats,
       mrr::DOUBLE AS mrr,
       start_date::TIMESTAMPTZ AS started_at,
       end_date::TIMESTAMPTZ AS term_end_at,
       CASE WHEN ended THEN end_date::TIMESTAMPTZ END AS ended_at,
       CASE WHEN NOT ended THEN NULL
            WHEN continued AND (next_rank > rank OR next_rank = rank AND next_quantity > quantity)
                 THEN 'upgrade'
            WHEN continued AND (next_rank < rank OR next_quantity < quantity) THEN 'downgrade'
            WHEN continued THEN 'renewal'
            WHEN end_date + INTERVAL ({grace}) DAY <= {end} THEN 'voluntary' END AS end_reason,
       list_prices.list_mrr::DOUBLE AS list_mrr,
       discount::DOUBLE AS discount_ratio,
       periods.bill_period_months::BIGINT AS bill_period_months
FROM (SELECT *, end_date < {end} AS ended,
             coalesce(next_start <= end_date + INTERVAL ({grace}) DAY, false) AS continued
      FROM periods) AS periods
JOIN list_prices USING (product)
"""

_ACCOUNTS = """
SELECT account_id::VARCHAR AS account_id, min(start_date)::TIMESTAMPTZ AS created_at,
       any_value(country) AS region, any_value(channel) AS acquisition_channel
FROM accounts JOIN periods USING (account_id) GROUP BY account_id
"""

_USAGE = """
SELECT account_id::VARCHAR AS account_id, date::DATE AS day, metric, sum(value)::DOUBLE AS value
FROM (UNPIVOT (FROM daily_active SELECT account_id, date, events::DOUBLE AS events,
                                        active_users::DOUBLE AS active_users)
      ON events, active_users INTO NAME metric VALUE value)
WHERE date < {end} GROUP BY ALL
"""

_FEATURE_USAGE = """
SELECT account_id::VARCHAR AS account_id, date::DATE AS day, event_type AS feature_key,
       sum(event_count)::BIGINT AS "count"
FROM daily_usage WHERE date < {end} GROUP BY ALL
"""


def import_churnsim(con: duckdb.DuckDBPyConnection, source: Path, out: Path) -> ImportReport:
    """Write the raw tables of the ChurnSim data set in *source* into the empty folder *out*.

    Raises:
        ImportSourceError: *source* is not laid out as this importer expects.
    """
    open_source(con, source, FILES)
    con.execute(_PERIODS.replace("$plans", str(list(PLANS))))
    con.execute(_LIST_PRICES)
    last_start = one(con, "SELECT max(start_date)::DATE FROM periods")
    if last_start is None:
        raise ImportSourceError(f"{source}: no product of subscriptions.parquet is one of {', '.join(PLANS)}")
    end_day = min(last_start, one(con, "SELECT max(date)::DATE FROM daily_active") or last_start)
    end = f"TIMESTAMP '{end_day + dt.timedelta(days=1)}'"
    written = tuple(
        write_table(con, out, name, select.format(end=end, grace=GRACE_DAYS))
        for name, select in (
            ("accounts", _ACCOUNTS),
            ("subscriptions", _SUBSCRIPTIONS),
            ("usage_daily", _USAGE),
            ("feature_usage", _FEATURE_USAGE),
        )
    )
    save_dataset_info(
        DatasetInfo(name="churnsim_crm5", synthetic=True, end_day=end_day, plan_order=PLANS), out
    )
    write_catalogue(out, "churnsim_crm5", _plan_prices(con))
    return ImportReport(
        importer=NAME,
        tables=written,
        drops=_drops(con, end_day, end),
        findings=_findings(con),
        notes=(
            (
                f"Data ends on {end_day}, the last day on which a subscription period starts: every one that "
                "ends later would look like churn, and later usage is only that of periods begun before."
            ),
            (
                "A plan is the product without its billing period; mrr is net of the discount, list_mrr the "
                "product's undiscounted price."
            ),
            (
                "end_reason: upgrade and downgrade by plan order, then seats; renewal if the next is equal; "
                f"voluntary if none starts within {GRACE_DAYS} days; null while that can't be known yet."
            ),
            (
                "Left out as no column of the contract: accounts.date_of_birth, daily_usage.event_value and "
                "daily_usage.active_users."
            ),
            (
                "The source has no consent, time zone, segment, tickets, invoices or touches: policy that "
                "asks for consent refuses these accounts."
            ),
        ),
    )


def _plan_prices(con: duckdb.DuckDBPyConnection) -> list[PlanPrice]:
    """Return each plan's monthly-billed list price; a plan is sold with a fixed block of seats."""
    rows = con.execute(
        "SELECT plan, arg_min(list_mrr, months), max(seats) FROM list_prices GROUP BY plan "
        f"ORDER BY list_position({list(PLANS)}, plan)"
    ).fetchall()
    return [
        PlanPrice(
            key=plan,
            mrr_list=float(price),
            price_per_seat=0.0,
            seats_included=int(seats),
            seats_max=int(seats),
        )
        for plan, price, seats in rows
    ]


def _drops(con: duckdb.DuckDBPyConnection, end_day: dt.date, end: str) -> tuple[Drop, ...]:
    """Return the source rows that were left out."""
    products = con.execute(
        f"SELECT product, count(*) FROM subscriptions WHERE NOT list_contains({list(PLANS)}, "
        "split_part(product, '_', 1)) GROUP BY product ORDER BY product"
    ).fetchall()
    late = f"after {end_day}, the last day for which subscriptions are complete"
    drops = [
        Drop(
            source="subscriptions.parquet",
            rows=rows,
            reason=f"add-on {product!r}: it is written for every account and says nothing"
            if product in ADD_ONS
            else f"product {product!r} is no plan",
        )
        for product, rows in products
    ]
    for source in ("daily_active", "daily_usage"):
        rows = one(con, f"SELECT count(*) FROM {source} WHERE date >= {end}")
        drops.append(Drop(source=f"{source}.parquet", rows=rows, reason=late))
    lone = one(con, "SELECT count(*) FROM accounts ANTI JOIN periods USING (account_id)")
    drops.append(Drop(source="accounts.parquet", rows=lone, reason="the account never had a plan"))
    return tuple(drop for drop in drops if drop.rows)


def _findings(con: duckdb.DuckDBPyConnection) -> tuple[Finding, ...]:
    """Return what contradicts itself in the source."""
    outside = one(
        con,
        "SELECT count(*) FROM daily_active AS u WHERE NOT EXISTS (FROM periods AS p WHERE p.account_id = "
        "u.account_id AND u.date >= p.start_date AND u.date < p.end_date)",
    )
    finding = Finding(
        source="daily_active.parquet",
        rows=outside,
        of=one(con, "SELECT count(*) FROM daily_active"),
        what="usage on a day without a subscription period",
        handling="kept: it lies in a gap between two periods of the account",
    )
    return (finding,) if outside else ()
