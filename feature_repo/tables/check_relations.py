"""The rules that rows break together: keys, accounts that are not there, periods that overlap, plans."""

# ruff: noqa: S608 - every identifier, path and value in the SQL passes quoted() or literal()

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_repo.tables.breach import Breach, Rule, Severity
from feature_repo.tables.check_probes import EXAMPLES, OpenTable, examples, printable
from feature_repo.tables.external_signals import ACCOUNT_COLUMNS
from feature_repo.tables.files import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

SCOPED = ("incidents", "external_signals")
"""Tables whose rows name an account in `scope_id`, where `scope` says so."""


def duplicate_keys(con: duckdb.DuckDBPyConnection, table: OpenTable) -> Iterator[Breach]:
    """Yield a breach if rows of *table* share a key; rows with a null in the key are another rule's."""
    key = table.contract.key
    if not table.has(*key):
        return
    columns = ", ".join(quoted("v_" + name) for name in key)
    known = " AND ".join(f"{quoted('v_' + name)} IS NOT NULL" for name in key)
    groups = (
        f"(SELECT {columns}, count(*) AS n FROM {table.rows_sql} WHERE {known} GROUP BY {columns} "
        "HAVING count(*) > 1)"
    )
    rows, keys = con.execute(f"SELECT coalesce(sum(n), 0), count(*) FROM {groups}").fetchall()[0]
    if rows:
        found = con.execute(f"SELECT {columns}, n FROM {groups} ORDER BY n DESC, {columns} LIMIT {EXAMPLES}")
        shown = tuple(
            ", ".join(f"{name}={printable(value)}" for name, value in zip(key, row, strict=False))
            + f" ({row[-1]} rows)"
            for row in found.fetchall()
        )
        sentence = f"{rows} rows share {keys} keys; {', '.join(key)} must be unique."
        yield Breach(
            table.contract.name,
            ", ".join(key),
            Rule.DUPLICATE_KEY,
            int(rows),
            shown,
            Severity.ERROR,
            sentence,
        )


def unknown_accounts(
    con: duckdb.DuckDBPyConnection, table: OpenTable, accounts: OpenTable | None
) -> Iterator[Breach]:
    """Yield a breach if *table* names accounts that *accounts* lacks."""
    if accounts is None or not accounts.has("account_id") or table.contract.name == "accounts":
        return
    column, where = "account_id", "true"
    if table.contract.name in SCOPED:
        column, where = "scope_id", "v_scope = 'account'"
        if not table.has("scope"):
            return
    if not table.has(column):
        return
    value = quoted("v_" + column)
    known = f"(SELECT v_account_id FROM {accounts.rows_sql} WHERE v_account_id IS NOT NULL)"
    orphans = f"FROM {table.rows_sql} WHERE {where} AND trim({value}) <> '' AND {value} NOT IN {known}"
    rows = con.execute(f"SELECT count(*) {orphans}").fetchall()[0][0]
    if rows:
        sentence = "The account is not in accounts; ids are compared byte for byte, case and blanks included."
        shown = examples(con, table, orphans, (column,))
        yield Breach(table.contract.name, column, Rule.UNKNOWN_ACCOUNT, rows, shown, Severity.ERROR, sentence)


def unmatched_scopes(
    con: duckdb.DuckDBPyConnection, table: OpenTable, accounts: OpenTable | None
) -> Iterator[Breach]:
    """Yield a warning if signals concern a segment, industry or region that no account has."""
    if accounts is None or table.contract.name != "external_signals" or not table.has("scope"):
        return
    scoped = [name for name in ACCOUNT_COLUMNS if accounts.has(name)]
    id_of = "v_scope_id" if table.has("scope_id") else "NULL::VARCHAR"
    matched = " OR ".join(
        ["v_scope IN ('all', 'account')"]
        + [
            f"(v_scope = '{name}' AND {id_of} IN "
            f"(SELECT v_{name} FROM {accounts.rows_sql} WHERE v_{name} IS NOT NULL))"
            for name in scoped
        ]
    )
    nobody = f"FROM {table.rows_sql} WHERE v_scope IS NOT NULL AND NOT coalesce({matched}, false)"
    rows = con.execute(f"SELECT count(*) {nobody}").fetchall()[0][0]
    if rows:
        shown = examples(con, table, nobody, ("scope", "scope_id") if table.has("scope_id") else ("scope",))
        sentence = "No account has this segment, industry or region, compared byte for byte; the row concerns nobody."
        yield Breach(
            table.contract.name, "scope_id", Rule.UNMATCHED_SCOPE, rows, shown, Severity.WARNING, sentence
        )


def similar_accounts(con: duckdb.DuckDBPyConnection, accounts: OpenTable) -> Iterator[Breach]:
    """Yield a warning if account ids differ by nothing but case or surrounding blanks."""
    if not accounts.has("account_id"):
        return
    groups = (
        f"(SELECT list(DISTINCT v_account_id ORDER BY v_account_id) AS ids FROM {accounts.rows_sql} "
        "WHERE v_account_id IS NOT NULL GROUP BY lower(trim(v_account_id)) "
        "HAVING count(DISTINCT v_account_id) > 1)"
    )
    rows = con.execute(f"SELECT coalesce(sum(len(ids)), 0) FROM {groups}").fetchall()[0][0]
    if rows:
        found = con.execute(f"SELECT ids FROM {groups} ORDER BY ids LIMIT {EXAMPLES}").fetchall()
        shown = tuple(" and ".join(printable(name) for name in row[0][:EXAMPLES]) for row in found)
        sentence = "They count as different accounts; if they are one, write the id in one way everywhere."
        yield Breach(
            "accounts", "account_id", Rule.SIMILAR_ACCOUNTS, int(rows), shown, Severity.WARNING, sentence
        )


def overlapping_periods(con: duckdb.DuckDBPyConnection, subscriptions: OpenTable) -> Iterator[Breach]:
    """Yield a warning if subscription periods of one account overlap."""
    if not subscriptions.has("subscription_id", "account_id", "started_at"):
        return
    ended = (
        "coalesce(v_ended_at, TIMESTAMPTZ 'infinity')"
        if subscriptions.has("ended_at")
        else "TIMESTAMPTZ 'infinity'"
    )
    overlapping = (
        f"FROM (SELECT *, max({ended}) OVER (PARTITION BY v_account_id ORDER BY v_started_at, "
        f"v_subscription_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until "
        f"FROM {subscriptions.rows_sql}) WHERE v_started_at < until"
    )
    rows = con.execute(f"SELECT count(*) {overlapping}").fetchall()[0][0]
    if rows:
        shown = examples(con, subscriptions, overlapping, ("account_id", "started_at"))
        sentence = (
            "The period starts before an earlier one of its account ends. Both count: the account has left "
            "only when none runs. Give ended_at if one replaced the other."
        )
        yield Breach("subscriptions", "started_at", Rule.OVERLAP, rows, shown, Severity.WARNING, sentence)


def unknown_plans(
    con: duckdb.DuckDBPyConnection, subscriptions: OpenTable, known: Sequence[str], source: str
) -> Iterator[Breach]:
    """Yield a warning if subscriptions have plans that *source*, which lists *known*, lacks."""
    if not known or not subscriptions.has("plan"):
        return
    listed = ", ".join(literal(plan) for plan in known)
    others = f"FROM {subscriptions.rows_sql} WHERE trim(v_plan) <> '' AND v_plan NOT IN ({listed})"
    rows = con.execute(f"SELECT count(*) {others}").fetchall()[0][0]
    if rows:
        shown = examples(con, subscriptions, others, ("plan",))
        sentence = f"The plan is not in {source}; no upgrade is known from it. Add it there."
        yield Breach("subscriptions", "plan", Rule.UNKNOWN_PLAN, rows, shown, Severity.WARNING, sentence)


def mixed_currencies(con: duckdb.DuckDBPyConnection, table: OpenTable) -> Iterator[Breach]:
    """Yield a warning if *table* has amounts in more than one currency."""
    if not table.has("currency"):
        return
    found = con.execute(
        f"SELECT coalesce(v_currency, 'USD') AS currency, count(*) FROM {table.rows_sql} GROUP BY currency "
        "ORDER BY count(*) DESC, currency"
    ).fetchall()
    if len(found) > 1:
        shown = tuple(f"{currency} ({rows} rows)" for currency, rows in found[:EXAMPLES])
        sentence = "Amounts are compared as they stand, without conversion; bring them in one currency."
        others = sum(rows for _, rows in found[1:])
        yield Breach(
            table.contract.name, "currency", Rule.MIXED_CURRENCIES, others, shown, Severity.WARNING, sentence
        )
