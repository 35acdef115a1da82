"""A small data folder that fits the contract, and the ways in which tests break it."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import duckdb

from feature_repo.tables.files import literal
from feature_repo.tables.registry import table

if TYPE_CHECKING:
    from pathlib import Path

Rows = list[dict[str, Any]]

GOOD: dict[str, Rows] = {
    "accounts": [
        {"account_id": "a", "created_at": "2024-01-01", "timezone": "Europe/Berlin", "employees": 5},
        {"account_id": "b", "created_at": "2024-01-02", "timezone": "UTC", "employees": 7},
    ],
    "subscriptions": [
        {
            "subscription_id": "s1",
            "account_id": "a",
            "plan": "pro",
            "seats": 3,
            "mrr": 30.0,
            "started_at": "2024-01-01",
            "ended_at": "2024-02-01",
            "end_reason": "renewal",
        },
        {
            "subscription_id": "s2",
            "account_id": "a",
            "plan": "pro",
            "seats": 3,
            "mrr": 30.0,
            "started_at": "2024-02-01",
            "ended_at": None,
            "end_reason": None,
        },
        {
            "subscription_id": "s3",
            "account_id": "b",
            "plan": "basic",
            "seats": 1,
            "mrr": 10.0,
            "started_at": "2024-01-02",
            "ended_at": None,
            "end_reason": None,
        },
    ],
    "usage_daily": [
        {"account_id": "a", "day": "2024-03-01", "metric": "logins", "value": 3.0},
        {"account_id": "a", "day": "2024-03-02", "metric": "logins", "value": 4.0},
        {"account_id": "b", "day": "2024-03-02", "metric": "storage_gb", "value": 0.5},
    ],
}


def good() -> dict[str, Rows]:
    """Return a fresh copy of the tables that fit the contract."""
    copied: dict[str, Rows] = json.loads(json.dumps(GOOD))
    return copied


def write_csv(folder: Path, name: str, rows: Rows, *, encoding: str = "utf-8") -> Path:
    """Write *rows* as `NAME.csv`."""
    path = folder / f"{name}.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(folder: Path, name: str, rows: Rows) -> Path:
    """Write *rows* as `NAME.parquet` in the types that the contract names."""
    contract = table(name)
    types = {"STRING": "VARCHAR", "INT": "BIGINT", "FLOAT": "DOUBLE", "BOOL": "BOOLEAN", "DATE": "DATE"}
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    columns = list(rows[0])
    typed = [
        types.get(contract.by_name[c].kind.name, "TIMESTAMPTZ") if c in contract.by_name else "VARCHAR"
        for c in columns
    ]
    con.execute(f"CREATE TABLE t ({', '.join(f'{c} {t}' for c, t in zip(columns, typed, strict=True))})")
    con.executemany(
        f"INSERT INTO t VALUES ({', '.join('?' for _ in columns)})",  # noqa: S608 - question marks only
        [[row[c] for c in columns] for row in rows],
    )
    path = folder / f"{name}.parquet"
    con.execute(f"COPY t TO {literal(str(path))} (FORMAT parquet)")
    con.close()
    return path


def write_folder(folder: Path, tables: dict[str, Rows], *, form: str = "csv") -> Path:
    """Write *tables* into *folder* in *form* (csv or parquet) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (write_csv if form == "csv" else write_parquet)(folder, name, rows)
    return folder


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file of *folder* with its modification time and bytes."""
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes())
        for p in folder.rglob("*")
        if p.is_file()
    }
