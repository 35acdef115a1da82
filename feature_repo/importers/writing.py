"""What every importer does: open the files of a source, count, write a raw table, write the plans' prices."""

# ruff: noqa: S608 - every identifier and path in the SQL passes quoted() or literal()

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import yaml

from feature_repo.errors import DataFolderError, ImportSourceError
from feature_repo.importers.report import Written
from feature_repo.tables.files import literal, quoted, source_sql
from feature_repo.tables.reading import first_line
from feature_repo.tables.registry import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class PlanPrice:
    """One plan of a source for its `catalogue.yaml`; money is in the catalogue's currency a month."""

    key: str
    mrr_list: float
    price_per_seat: float
    seats_included: int
    seats_max: int | None = None


def open_source(con: duckdb.DuckDBPyConnection, source: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Make one temporary table for each file of *source*, named as the file without its ending.

    Args:
        con: A DuckDB connection.
        source: Folder of the source.
        files: The columns that each file must have.

    Raises:
        ImportSourceError: A file or a column is missing, or a file can't be read.
    """
    missing = [name for name in files if not (source / name).is_file()]
    if missing:
        raise ImportSourceError(
            f"{source}: lacks {', '.join(missing)}; give the folder that holds these files"
        )
    for name, columns in files.items():
        stem = quoted(name.rpartition(".")[0])
        try:
            con.execute(f"CREATE OR REPLACE TEMP TABLE {stem} AS FROM {source_sql((source / name,))}")
        except (duckdb.Error, DataFolderError) as error:
            raise ImportSourceError(f"{source / name}: can't be read: {first_line(error)}") from error
        there = {row[0] for row in con.execute(f"DESCRIBE {stem}").fetchall()}
        lacking = [column for column in columns if column not in there]
        if lacking:
            raise ImportSourceError(f"{source / name}: lacks the columns {', '.join(lacking)}")


def one(con: duckdb.DuckDBPyConnection, sql: str) -> Any:  # noqa: ANN401 - whatever the query gives
    """Return the first value of the first row of *sql*."""
    return con.execute(sql).fetchall()[0][0]


def write_table(con: duckdb.DuckDBPyConnection, folder: Path, name: str, select: str) -> Written:
    """Write the rows of *select* as raw table *name* into *folder*, sorted by its key, and count them."""
    order = ", ".join(quoted(column) for column in table(name).key)
    path = folder / f"{name}.parquet"
    con.execute(
        f"COPY (SELECT * FROM ({select}) ORDER BY {order}) TO {literal(str(path))} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )
    return Written(table=name, rows=one(con, f"SELECT count(*) FROM {source_sql((path,))}"))


def write_catalogue(folder: Path, name: str, plans: Sequence[PlanPrice]) -> None:
    """Write `catalogue.yaml` into *folder*: the plans from smallest to largest, no actions of its own."""
    content = {
        "version": 1,
        "name": name,
        "currency": "USD",
        "plans": [
            {
                "key": plan.key,
                "name": plan.key.capitalize(),
                "rank": rank,
                "mrr_list": plan.mrr_list,
                "price_per_seat": plan.price_per_seat,
                "seats_included": plan.seats_included,
                "seats_max": plan.seats_max,
                "api_calls_limit_per_month": None,
                "storage_limit_gb": None,
            }
            for rank, plan in enumerate(plans, start=1)
        ],
    }
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
