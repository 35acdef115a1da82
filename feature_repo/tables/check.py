"""The check of a data folder against the raw-table contract: every breach, counted and shown by example.

Nothing is written. Each table is read through DuckDB, out of core, in a few passes: one for all rules about
single rows, one for its key, one for its accounts. Values are taken as they stand in the files, so that a bad
one can be shown.
"""

# ruff: noqa: S608 - every identifier, path and value in the SQL passes quoted() or literal()

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from feature_repo.tables import check_files, check_relations
from feature_repo.tables.breach import Breach, CheckedTable, CheckReport, Rule, Severity
from feature_repo.tables.check_columns import LATEST, EndOfData, missing_columns, row_probes
from feature_repo.tables.check_probes import OpenTable, run_probes
from feature_repo.tables.reading import connect
from feature_repo.tables.registry import TABLES, USAGE_TABLES

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from feature_repo.tables.dataset import DatasetInfo

__all__ = ["CheckReport", "check"]


def check(folder: Path, *, today: dt.date | None = None) -> CheckReport:
    """Check all raw tables in *folder* against the contract.

    Args:
        folder: A data folder.
        today: The current day (UTC); if given and `dataset.yaml` names no end of data, none may be later.

    Returns:
        Every breach; the folder is not changed, whatever is found.
    """
    stop = check_files.folder_breach(folder)
    if stop is not None:
        return CheckReport(folder, (), (stop,))
    con = connect()
    try:
        info, breaches = check_files.read_dataset_info(folder)
        plan_keys, catalogue_breaches = check_files.read_plan_keys(folder)
        breaches += [*catalogue_breaches, *check_files.unknown_files(folder)]
        opened: dict[str, OpenTable] = {}
        for contract in TABLES:
            table, found = check_files.open_files(con, folder, contract)
            if table is not None:
                opened[contract.name] = table
            breaches += found
        unreadable = {breach.table for breach in breaches if breach.rule is Rule.UNREADABLE}
        if not any(name in opened or name in unreadable for name in USAGE_TABLES):
            breaches = [b for b in breaches if b.table not in USAGE_TABLES] + [check_files.no_usage()]
        end = _end_of_data(con.con, opened, info, today)
        plans = {"plan_order of dataset.yaml": info.plan_order, check_files.CATALOGUE_NAME: plan_keys}
        checked = []
        for table in list(opened.values()):
            state, found = _check_table(con.con, table, opened, end, plans)
            checked.append(state)
            breaches += found
    finally:
        con.disconnect()
    order = {contract.name: place for place, contract in enumerate(TABLES)}
    breaches.sort(key=lambda breach: (order.get(breach.table, -1), breach.severity is Severity.WARNING))
    return CheckReport(folder, tuple(checked), tuple(breaches))


def _check_table(
    con: duckdb.DuckDBPyConnection,
    table: OpenTable,
    opened: dict[str, OpenTable],
    end: EndOfData | None,
    plans: dict[str, tuple[str, ...]],
) -> tuple[CheckedTable, list[Breach]]:
    """Return how *table* was read and all its breaches; a table that can't be read leaves *opened*."""
    name = table.contract.name
    try:
        rows, breaches = run_probes(con, table, row_probes(table, end))
        breaches += missing_columns(table, rows)
        breaches += check_relations.duplicate_keys(con, table)
        breaches += check_relations.unknown_accounts(con, table, opened.get("accounts"))
        breaches += check_relations.unmatched_scopes(con, table, opened.get("accounts"))
        breaches += check_relations.mixed_currencies(con, table)
        if name == "accounts":
            breaches += check_relations.similar_accounts(con, table)
        if name == "subscriptions":
            breaches += check_relations.overlapping_periods(con, table)
            for source, known in plans.items():
                breaches += check_relations.unknown_plans(con, table, known, source)
    except (duckdb.BinderException, duckdb.ParserException):
        raise  # a fault of the check, not of the data
    except duckdb.Error as error:
        del opened[name]
        return CheckedTable(name, 0, readable=False), [check_files.refused(table, error)]
    if not rows:
        needed = table.contract.required or not any(_has_rows(con, opened, usage) for usage in USAGE_TABLES)
        severity = Severity.ERROR if needed else Severity.WARNING
        breaches.append(
            Breach(
                name,
                None,
                Rule.EMPTY_TABLE,
                0,
                (),
                severity,
                f"The table has no rows; one is {table.contract.row}.",
            )
        )
    return CheckedTable(name, rows, readable=True), breaches


def _has_rows(con: duckdb.DuckDBPyConnection, opened: dict[str, OpenTable], name: str) -> bool:
    """Return whether table *name* is open and has a row."""
    return name in opened and bool(con.execute(f"SELECT 1 FROM {opened[name].source} LIMIT 1").fetchall())


def _end_of_data(
    con: duckdb.DuckDBPyConnection, opened: dict[str, OpenTable], info: DatasetInfo, today: dt.date | None
) -> EndOfData | None:
    """Return the end of data by `dataset.yaml`, else by the last usage day that is a real day, else None."""
    if info.end_day is not None:
        return EndOfData(info.end_day, "end_day of dataset.yaml")
    days = []
    for name in USAGE_TABLES:
        if name not in opened or not opened[name].has("day"):
            continue
        try:
            last = con.execute(
                f"SELECT max(v_day) FROM {opened[name].rows_sql} WHERE v_day < DATE '{LATEST}'"
            ).fetchall()[0][0]
        except duckdb.Error:
            continue  # the table's own pass says what is wrong with the file
        if last is not None:
            days.append(last)
    if not days:
        return None
    if today is not None and max(days) > today:
        return EndOfData(today, "today's date")
    return EndOfData(max(days), "the last usage day")
