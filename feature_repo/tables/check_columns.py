"""The rules that one row can break by itself: types, nulls, ranges, allowed values, times and their order."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from feature_repo.tables.breach import Breach, Rule, Severity
from feature_repo.tables.check_probes import OpenTable, Probe
from feature_repo.tables.contract import Column, Kind, Table
from feature_repo.tables.files import literal, quoted
from feature_repo.tables.reading import cast_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EARLIEST = dt.date(2000, 1, 1)
LATEST = dt.date(2200, 1, 1)
LONGEST_ACCOUNT_ID_BYTES = 256

_INTEGERS = r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?"
_NUMBERS = rf"{_INTEGERS}|FLOAT|DOUBLE|DECIMAL\(.*\)"
_TIMES = r"DATE|TIMESTAMP.*|VARCHAR"
_FITTING = {
    Kind.STRING: rf"VARCHAR|UUID|ENUM\(.*\)|{_INTEGERS}",
    Kind.INT: rf"{_NUMBERS}|VARCHAR",
    Kind.FLOAT: rf"{_NUMBERS}|VARCHAR",
    Kind.BOOL: rf"BOOLEAN|VARCHAR|{_INTEGERS}",
    Kind.DATE: _TIMES,
    Kind.TIME: _TIMES,
}
_WANTED = {
    Kind.STRING: "text",
    Kind.INT: "whole numbers",
    Kind.FLOAT: "numbers",
    Kind.BOOL: "true or false",
    Kind.DATE: "days, as 2026-01-31",
    Kind.TIME: "UTC times, as 2026-01-31T12:00:00Z",
}


@dataclass(frozen=True, slots=True)
class EndOfData:
    """The end of data: events on or after *day* + 1 are breaches; *source* says where *day* comes from."""

    day: dt.date
    source: str


def open_table(contract: Table, files: tuple[Path, ...], source: str, types: dict[str, str]) -> OpenTable:
    """Return *contract*'s table over *source* with a raw and a cast value for each column that fits."""
    usable = [
        column
        for column in contract.columns
        if column.name in types and re.fullmatch(_FITTING[column.kind], types[column.name])
    ]
    pairs = [
        f"{quoted(column.name)} AS {quoted('r_' + column.name)}, "
        f"{cast_sql(column, quoted(column.name), types[column.name], lenient=True)} "
        f"AS {quoted('v_' + column.name)}"
        for column in usable
    ]
    unusable = [
        f"{quoted(column.name)} AS {quoted('r_' + column.name)}"
        for column in contract.columns
        if column.name in types and column not in usable
    ]
    selected = ", ".join([*pairs, *unusable]) or "1 AS nothing"
    return OpenTable(
        contract=contract,
        files=files,
        source=source,
        types=types,
        rows_sql=f"(SELECT {selected} FROM {source})",  # noqa: S608 - identifiers pass quoted()
        usable=frozenset(column.name for column in usable),
    )


def missing_columns(table: OpenTable, rows: int) -> Iterator[Breach]:
    """Yield a breach for each column that must be there and is not, and one warning for all others."""
    name = table.contract.name
    by_folded = {column.strip().casefold(): column for column in table.types}
    absent = []
    for column in table.contract.columns:
        if column.name in table.types:
            continue
        near = by_folded.get(column.name)
        hint = f" The file has {near!r}: rename it." if near else ""
        if column.nullable and not near:
            absent.append(column.name)
            continue
        yield Breach(
            name,
            column.name,
            Rule.MISSING_COLUMN,
            rows,
            (),
            Severity.ERROR,
            f"The column is not there; it holds {_WANTED[column.kind]}: {column.meaning}{hint}",
        )
    if absent:
        listed = ", ".join(absent)
        sentence = "Optional columns are not there; the features that need them are null."
        yield Breach(name, listed, Rule.ABSENT_COLUMNS, 0, (), Severity.WARNING, sentence)
    known = {column.name for column in table.contract.columns}
    unknown = [
        column for column in table.types if column not in known and column.strip().casefold() not in known
    ]
    if unknown:
        sentence = "The contract knows no such columns; they are ignored."
        yield Breach(name, ", ".join(unknown), Rule.UNKNOWN_COLUMNS, 0, (), Severity.WARNING, sentence)


def row_probes(table: OpenTable, end: EndOfData | None) -> list[Probe]:
    """Return the probes of all rules that a row of *table* can break by itself."""
    probes: list[Probe] = []
    for column in table.contract.columns:
        if column.name in table.usable:
            probes += _column_probes(table, column, end)
        elif column.name in table.types:
            found = table.types[column.name]
            sentence = f"The column's type is {found}; it must hold {_WANTED[column.kind]}."
            there = f"{quoted('r_' + column.name)} IS NOT NULL"
            probes.append(Probe(column.name, Rule.MISTYPED_COLUMN, there, sentence))
    for later, earlier in table.contract.not_before:
        if table.has(later, earlier):
            condition = f"{quoted('v_' + later)} < {quoted('v_' + earlier)}"
            sentence = f"{later} lies before {earlier}; it must be the same time or later."
            probes.append(Probe(later, Rule.WRONG_ORDER, condition, sentence, shown=(earlier, later)))
    return probes


def _column_probes(table: OpenTable, column: Column, end: EndOfData | None) -> Iterator[Probe]:
    raw, value = quoted("r_" + column.name), quoted("v_" + column.name)
    is_text = table.types[column.name] == "VARCHAR"
    blank = f"trim({raw}) = ''" if is_text else "false"
    if not column.nullable:
        rule = Rule.NULL_KEY if column.name in table.contract.key else Rule.NULL
        sentence = f"The value is null or blank; every row needs {_WANTED[column.kind]}."
        yield Probe(column.name, rule, f"({raw} IS NULL OR {blank})", sentence)
    if column.kind is not Kind.STRING:
        finite = "true"
        if column.kind in {Kind.INT, Kind.FLOAT}:
            number = f"TRY_CAST({raw} AS DOUBLE)"
            sentence = "The value is NaN or infinite; leave it empty if it is not known."
            yield Probe(column.name, Rule.NOT_FINITE, f"NOT isfinite({number})", sentence)
            finite = f"coalesce(isfinite({number}), true)"
        whole = f" OR {number} <> {value}" if column.kind is Kind.INT else ""
        unread = f"{raw} IS NOT NULL AND NOT ({blank}) AND {finite} AND ({value} IS NULL{whole})"
        if is_text and column.nullable:
            unread = f"{raw} IS NOT NULL AND {finite} AND ({value} IS NULL{whole})"
        sentence = f"The value can't be read; it must be {_WANTED[column.kind]}."
        yield Probe(column.name, Rule.MISTYPED_VALUE, unread, sentence)
        yield from _range_probes(column, value)
    if column.kind in {Kind.DATE, Kind.TIME}:
        yield from _time_probes(column, value, end)
    if column.values:
        allowed = ", ".join(literal(each) for each in column.values)
        sentence = f"The value must be one of {', '.join(column.values)}."
        yield Probe(
            column.name, Rule.UNKNOWN_VALUE, f"{value} NOT IN ({allowed}) AND trim({value}) <> ''", sentence
        )
    if table.contract.name == "accounts" and column.name == "account_id":
        sentence = f"Account ids have at most {LONGEST_ACCOUNT_ID_BYTES} bytes."
        yield Probe(column.name, Rule.TOO_LONG, f"strlen({value}) > {LONGEST_ACCOUNT_ID_BYTES}", sentence)
    if column.name == "timezone":
        sentence = "The value must be an IANA time zone name, such as Europe/Berlin or UTC."
        yield Probe(column.name, Rule.TIME_ZONE, f"{value} NOT IN ({_time_zones()})", sentence)


def _range_probes(column: Column, value: str) -> Iterator[Probe]:
    finite = f"isfinite({value}) AND " if column.kind is Kind.FLOAT else ""
    if column.minimum is not None:
        sentence = f"The value must be at least {column.minimum:g}."
        yield Probe(column.name, Rule.UNDER_MINIMUM, f"{finite}{value} < {column.minimum!r}", sentence)
    if column.maximum is not None:
        sentence = f"The value must be at most {column.maximum:g}."
        yield Probe(column.name, Rule.OVER_MAXIMUM, f"{finite}{value} > {column.maximum!r}", sentence)


def _time_probes(column: Column, value: str, end: EndOfData | None) -> Iterator[Probe]:
    sql_type = "DATE" if column.kind is Kind.DATE else "TIMESTAMPTZ"
    out = f"{value} < {sql_type} '{EARLIEST}' OR {value} >= {sql_type} '{LATEST}'"
    sentence = f"The time must lie from {EARLIEST} on and before {LATEST}; look for a wrong unit or form."
    yield Probe(column.name, Rule.TIME_OUT_OF_RANGE, out, sentence)
    if end is not None and not column.may_be_future:
        after = f"{sql_type} '{end.day + dt.timedelta(days=1)}'"
        late = f"{value} >= {after} AND {value} < {sql_type} '{LATEST}'"
        sentence = (
            f"It lies after {end.day} (UTC), the end of data by {end.source}; look for a clock in another "
            "time zone, or set end_day in dataset.yaml to the last complete day."
        )
        yield Probe(column.name, Rule.AFTER_END, late, sentence)


@cache
def _time_zones() -> str:
    """Return all IANA time zone names as a list of SQL literals."""
    return ", ".join(literal(name) for name in sorted(available_timezones()))
