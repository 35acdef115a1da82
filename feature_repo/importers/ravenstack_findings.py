"""RavenStack's contradictions and left-out rows, each counted by one query on the opened source."""

# ruff: noqa: S608 - the SQL is put together from constants of this module

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.importers.report import Drop, Finding
from feature_repo.importers.writing import one

if TYPE_CHECKING:
    import duckdb

ACCOUNTS = "ravenstack_accounts"
SUBSCRIPTIONS = "ravenstack_subscriptions"
USAGE = "ravenstack_feature_usage"
TICKETS = "ravenstack_support_tickets"
EVENTS = "ravenstack_churn_events"


@dataclass(frozen=True, slots=True)
class _Question:
    """One contradiction: where and what it is, what is done about it, and the rows counted (FROM ...)."""

    source: str
    what: str
    handling: str
    rows: str


_SEPARATE = "kept apart: labels come from subscriptions, churn flags and churn events are not used"

_QUESTIONS = (
    _Question(
        USAGE,
        "usage dated before the start of its own subscription",
        "left out where the account had no subscription yet (see rows left out), else kept for the account",
        "FROM usage WHERE usage_date < start_date",
    ),
    _Question(
        USAGE,
        "usage dated after the end of its own subscription",
        "kept for the account",
        "FROM usage WHERE usage_date > end_date",
    ),
    _Question(
        USAGE,
        "usage id that another row has too",
        "kept: the rows differ in subscription, and no table carries the id",
        f"FROM {USAGE} SEMI JOIN (SELECT usage_id FROM {USAGE} GROUP BY usage_id HAVING count(*) > 1) "
        "USING (usage_id)",
    ),
    _Question(
        USAGE,
        "more errors than uses",
        "kept as it stands",
        f"FROM {USAGE} WHERE error_count::BIGINT > usage_count::BIGINT",
    ),
    _Question(
        SUBSCRIPTIONS,
        "subscription that overlaps another one of its account",
        "kept: an account has left only when none of its subscriptions runs",
        f"FROM {SUBSCRIPTIONS} AS a WHERE EXISTS (FROM {SUBSCRIPTIONS} AS b "
        "WHERE b.account_id = a.account_id AND b.subscription_id <> a.subscription_id "
        "AND a.start_date < coalesce(b.end_date, 'infinity') "
        "AND b.start_date < coalesce(a.end_date, 'infinity'))",
    ),
    _Question(
        SUBSCRIPTIONS,
        "churn flag without an end date",
        "kept as running",
        f"FROM {SUBSCRIPTIONS} WHERE churn_flag::BOOLEAN AND end_date IS NULL",
    ),
    _Question(
        SUBSCRIPTIONS,
        "end date without a churn flag",
        "kept as ended, without a reason",
        f"FROM {SUBSCRIPTIONS} WHERE NOT churn_flag::BOOLEAN AND end_date IS NOT NULL",
    ),
    _Question(
        ACCOUNTS,
        "account with the churn flag set and a subscription that never ended",
        _SEPARATE,
        f"FROM {ACCOUNTS} SEMI JOIN (FROM {SUBSCRIPTIONS} WHERE end_date IS NULL) USING (account_id) "
        "WHERE churn_flag::BOOLEAN",
    ),
    _Question(
        ACCOUNTS,
        "account with the churn flag set and no churn event",
        _SEPARATE,
        f"FROM {ACCOUNTS} ANTI JOIN {EVENTS} USING (account_id) WHERE churn_flag::BOOLEAN",
    ),
    _Question(
        ACCOUNTS,
        "account with a churn event and the churn flag not set",
        _SEPARATE,
        f"FROM {ACCOUNTS} SEMI JOIN {EVENTS} USING (account_id) WHERE NOT churn_flag::BOOLEAN",
    ),
    _Question(
        EVENTS,
        "churn event while a subscription of the account runs on",
        _SEPARATE,
        f"FROM {EVENTS} AS e WHERE EXISTS (FROM {SUBSCRIPTIONS} AS s WHERE s.account_id = e.account_id "
        "AND s.start_date <= e.churn_date AND coalesce(s.end_date, 'infinity') > e.churn_date)",
    ),
    _Question(
        EVENTS,
        "churn event with no subscription of the account ending within 30 days of it",
        _SEPARATE,
        f"FROM {EVENTS} AS e WHERE NOT EXISTS (FROM {SUBSCRIPTIONS} AS s WHERE s.account_id = e.account_id "
        "AND abs(date_diff('day', s.end_date, e.churn_date)) <= 30)",
    ),
    _Question(
        TICKETS,
        "ticket dated before its account signed up",
        "left out (see rows left out)",
        f"FROM {TICKETS} JOIN {ACCOUNTS} USING (account_id) WHERE submitted_at < signup_date",
    ),
    _Question(
        TICKETS,
        "ticket that was closed before its first response",
        "kept as it stands",
        f"FROM {TICKETS} WHERE submitted_at + to_minutes(first_response_time_minutes::BIGINT) > closed_at",
    ),
)

_DROPS = (
    (
        USAGE,
        "usage before the account signed up: nobody was there to use anything",
        "FROM usage WHERE usage_date < signup_date AND usage_date < first_start_date",
    ),
    (
        USAGE,
        "usage after sign-up but before the account's first subscription started",
        "FROM usage WHERE usage_date >= signup_date AND usage_date < first_start_date",
    ),
    (USAGE, "usage of a subscription that is not in the source", "FROM usage WHERE account_id IS NULL"),
    (
        TICKETS,
        "ticket before the account signed up",
        f"FROM {TICKETS} JOIN {ACCOUNTS} USING (account_id) WHERE submitted_at < signup_date",
    ),
    (
        TICKETS,
        "ticket of an account that is not in the source",
        f"FROM {TICKETS} ANTI JOIN {ACCOUNTS} USING (account_id)",
    ),
    (EVENTS, "no raw table holds churn events: labels come from subscriptions", f"FROM {EVENTS}"),
)


def findings(con: duckdb.DuckDBPyConnection) -> tuple[Finding, ...]:
    """Return every contradiction looked for with its number of rows, those with none included."""
    return tuple(
        Finding(
            source=f"{question.source}.csv",
            rows=one(con, f"SELECT count(*) {question.rows}"),
            of=one(con, f"SELECT count(*) FROM {question.source}"),
            what=question.what,
            handling=question.handling,
        )
        for question in _QUESTIONS
    )


def drops(con: duckdb.DuckDBPyConnection) -> tuple[Drop, ...]:
    """Return the source rows that were left out, reason by reason; reasons without rows are not listed."""
    counted = tuple(
        Drop(source=f"{source}.csv", rows=one(con, f"SELECT count(*) {rows}"), reason=reason)
        for source, reason, rows in _DROPS
    )
    return tuple(drop for drop in counted if drop.rows)
