"""Raw tables as Ibis tables in the contract's types: the one road into the pipeline and training.

Timestamps are UTC microseconds: a value without a zone is taken as UTC, one with another zone is converted.
Columns that are absent and may be null come as null; columns that the contract does not know are left out.
"""

# ruff: noqa: S608 - every identifier and path in the SQL passes quoted() or literal()

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import ibis

from feature_repo.errors import DataFolderError
from feature_repo.tables.contract import Column, Kind
from feature_repo.tables.dataset import load_dataset_info
from feature_repo.tables.files import quoted, source_sql, table_files
from feature_repo.tables.registry import USAGE_TABLES, table

if TYPE_CHECKING:
    import datetime as dt

    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend

__all__ = ["cast_sql", "connect", "end_day", "plan_order", "scan", "table_files"]

SQL_TYPES = {
    Kind.STRING: "VARCHAR",
    Kind.INT: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOL: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIME: "TIMESTAMP WITH TIME ZONE",
}
"""The DuckDB type of each kind."""

_TIME_TYPES = (
    "VARCHAR",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    SQL_TYPES[Kind.TIME],
)
"""Types that cast to a time directly; a column of nulls may come in any other, and goes through text."""


def connect(*, memory_limit_gb: float | None = None, threads: int | None = None) -> Backend:
    """Return an Ibis DuckDB backend in memory whose clock is UTC and which spills to the temporary folder.

    Args:
        memory_limit_gb: Memory bound in gigabytes; half of the machine's memory, at most 8 GB, if None.
        threads: Worker threads; the machine's cores, at most 8, if None.
    """
    if memory_limit_gb is None:
        memory_limit_gb = min(8.0, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2e9)
    con = ibis.duckdb.connect(
        memory_limit=f"{memory_limit_gb:.3f}GB",
        threads=threads or min(8, os.cpu_count() or 1),
        temp_directory=str(Path(tempfile.gettempdir()) / f"keepgrow-duckdb-{os.getpid()}"),
    )
    con.con.execute("SET TimeZone = 'UTC'")
    con.con.execute("SET enable_progress_bar = false")
    # DuckDB 2.0 moves TRY_CAST into read_csv as a strict cast, so that one bad value fails the whole query.
    known = {row[0] for row in con.con.execute("SELECT name FROM duckdb_optimizers()").fetchall()}
    if "type_pushdown" in known:
        con.con.execute("SET disabled_optimizers = 'type_pushdown'")
    return con


def cast_sql(column: Column, expression: str, sql_type: str, *, lenient: bool = False) -> str:
    """Return SQL that casts *expression* to *column*'s kind.

    Args:
        column: The contract's column.
        expression: SQL of the raw value.
        sql_type: DuckDB type of the raw value.
        lenient: Give null instead of an error for a value that can't be cast.
    """
    cast = "TRY_CAST" if lenient else "CAST"
    if column.kind is Kind.DATE and sql_type == "VARCHAR":
        return f"CAST({cast}({expression} AS TIMESTAMP WITH TIME ZONE) AS DATE)"
    if column.kind in {Kind.DATE, Kind.TIME} and sql_type not in _TIME_TYPES:
        expression = f"CAST({expression} AS VARCHAR)"
    return f"{cast}({expression} AS {SQL_TYPES[column.kind]})"


def scan(con: Backend, folder: Path, name: str) -> ir.Table | None:
    """Return the raw table *name* of *folder* as a lazy Ibis table, or None if it is absent.

    Columns come in the contract's order and types. A value that can't be cast is an error when the table is
    executed; `keepgrow check` shows all of them.

    Args:
        con: A backend from `connect`.
        folder: A data folder.
        name: A table of the contract.

    Raises:
        DataFolderError: A file can't be read, or a column that may not be null is missing.
    """
    contract = table(name)
    files = table_files(folder, name)
    if not files:
        return None
    source = source_sql(files)
    there = raw_types(con, source, f"{folder}: table {name!r}")
    missing = [column.name for column in contract.columns if column.name not in there and not column.nullable]
    if missing:
        raise DataFolderError(
            f"{folder}: table {name!r} lacks {', '.join(missing)}; see docs/reference/tables.md"
        )
    selected = ", ".join(
        f"{cast_sql(column, quoted(column.name), there.get(column.name, ''))} AS {quoted(column.name)}"
        if column.name in there
        else f"CAST(NULL AS {SQL_TYPES[column.kind]}) AS {quoted(column.name)}"
        for column in contract.columns
    )
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    view = f"raw_{name}_{digest}"
    try:
        con.con.execute(f"CREATE OR REPLACE VIEW {quoted(view)} AS SELECT {selected} FROM {source}")
    except duckdb.Error as error:
        raise DataFolderError(f"{folder}: table {name!r}: {first_line(error)}; run keepgrow check") from error
    return con.table(view)


def raw_types(con: Backend, source: str, where: str) -> dict[str, str]:
    """Return column names and DuckDB types of *source* (SQL from `source_sql`).

    Raises:
        DataFolderError: The files behind *source* can't be read; *where* opens the sentence.
    """
    try:
        rows = con.con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        raise DataFolderError(f"{where}: can't be read: {first_line(error)}") from error
    return {str(row[0]): str(row[1]) for row in rows}


def first_line(error: Exception) -> str:
    """Return the first line of *error*'s message, which for DuckDB is the sentence that matters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def end_day(con: Backend, folder: Path) -> dt.date:
    """Return the last day (UTC) for which the data of *folder* is complete.

    It is `end_day` of `dataset.yaml`; without it, the last day of the usage tables.

    Raises:
        DataFolderError: Neither is there.
    """
    known = load_dataset_info(folder).end_day
    if known is not None:
        return known
    days: list[dt.date] = []
    for name in USAGE_TABLES:
        scanned = scan(con, folder, name)
        if scanned is not None:
            last = scanned.aggregate(last=scanned["day"].max()).to_pyarrow()["last"][0].as_py()
            if last is not None:
                days.append(last)
    if not days:
        raise DataFolderError(
            f"{folder}: no usage rows and no end_day in dataset.yaml; bring usage_daily or feature_usage"
        )
    return max(days)


def plan_order(con: Backend, folder: Path) -> tuple[str, ...]:
    """Return the plans of *folder* from smallest to largest.

    It is `plan_order` of `dataset.yaml`; without it, plans ordered by the median MRR of their paid periods
    (of all periods, for a plan without a paid one), by name where that is equal.

    Raises:
        DataFolderError: Neither is there.
    """
    known = load_dataset_info(folder).plan_order
    if known:
        return known
    periods = scan(con, folder, "subscriptions")
    if periods is None:
        raise DataFolderError(f"{folder}: no table subscriptions and no plan_order in dataset.yaml")
    paid = ~periods["is_trial"].fill_null(ibis.literal(False))
    price = ibis.coalesce(periods["mrr"].median(where=paid), periods["mrr"].median())
    prices = periods.group_by("plan").agg(price=price).to_pyarrow().to_pylist()
    return tuple(row["plan"] for row in sorted(prices, key=lambda row: (row["price"], row["plan"])))
