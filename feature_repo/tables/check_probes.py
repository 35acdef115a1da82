"""Probes: conditions on the rows of one raw table, all counted in one pass, then shown by example."""

# ruff: noqa: S608 - every identifier, path and value in the SQL passes quoted() or literal()

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from feature_repo.tables.breach import Breach, Rule, Severity
from feature_repo.tables.files import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from feature_repo.tables.contract import Table

EXAMPLES = 3
LONGEST_EXAMPLE = 60


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A raw table whose files could be opened.

    Attributes:
        contract: Its contract.
        files: Its files, all in one form.
        source: SQL table function over its files, without casts.
        types: DuckDB type of each column that is there.
        rows_sql: Subquery with `r_COLUMN` (raw) and, if usable, `v_COLUMN` (cast, null if it can't be).
        usable: Columns of the contract that are there in a type that fits.
    """

    contract: Table
    files: tuple[Path, ...]
    source: str
    types: dict[str, str] = field(repr=False)
    rows_sql: str = field(repr=False)
    usable: frozenset[str] = field(repr=False)

    def has(self, *columns: str) -> bool:
        """Return whether all *columns* can be looked at."""
        return self.usable.issuperset(columns)


@dataclass(frozen=True, slots=True)
class Probe:
    """One condition on a row; *shown* are the columns whose raw values an example shows beside the key."""

    column: str | None
    rule: Rule
    condition: str
    sentence: str
    severity: Severity = Severity.ERROR
    shown: tuple[str, ...] = ()


def run_probes(
    con: duckdb.DuckDBPyConnection, table: OpenTable, probes: Sequence[Probe]
) -> tuple[int, list[Breach]]:
    """Return the number of rows of *table* and a breach for each probe that holds for any of them.

    Raises:
        duckdb.Error: The files can't be read to their end.
    """
    counts = ", ".join(["count(*)", *(f"count(*) FILTER ({probe.condition})" for probe in probes)])
    total, *held = con.execute(f"SELECT {counts} FROM {table.rows_sql}").fetchall()[0]
    breaches = [
        Breach(
            table=table.contract.name,
            column=probe.column,
            rule=probe.rule,
            rows=int(rows),
            examples=examples(con, table, f"FROM {table.rows_sql} WHERE {probe.condition}", _shown(probe)),
            severity=probe.severity,
            sentence=probe.sentence,
        )
        for probe, rows in zip(probes, held, strict=True)
        if rows
    ]
    return int(total), breaches


def examples(
    con: duckdb.DuckDBPyConnection, table: OpenTable, rows: str, shown: Sequence[str], prefix: str = "r_"
) -> tuple[str, ...]:
    """Return up to three rows of *rows* (a FROM clause over raw columns) as `key=..., column=...`."""
    columns = list(dict.fromkeys([*(name for name in table.contract.key if table.has(name)), *shown]))
    if not columns:
        return ()
    selected = ", ".join(quoted(prefix + column) for column in columns)
    found = con.execute(f"SELECT {selected} {rows} ORDER BY ALL LIMIT {EXAMPLES}").fetchall()
    return tuple(
        ", ".join(f"{column}={printable(value)}" for column, value in zip(columns, row, strict=True))
        for row in found
    )


def printable(value: Any) -> str:  # noqa: ANN401 - whatever stands in a file
    """Return *value* for a line of a report: short, with quotes round text and without control characters."""
    if value is None:
        return "null"
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(value))
    if len(text) > LONGEST_EXAMPLE:
        text = text[: LONGEST_EXAMPLE - 1] + "…"
    return f"'{text}'" if isinstance(value, str) else text


def _shown(probe: Probe) -> tuple[str, ...]:
    """Return the columns that examples of *probe* show."""
    return probe.shown or ((probe.column,) if probe.column else ())
