"""`docs/reference/tables.md`, written from the contract so that it can't say anything else.

`python -m feature_repo.tables.reference > docs/reference/tables.md` renews it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from feature_repo.tables.contract import Kind
from feature_repo.tables.dataset import FILE_NAME, DatasetInfo
from feature_repo.tables.registry import TABLES, USAGE_TABLES
from feature_repo.tables.usage_daily import COUNT_METRICS, GAUGE_METRICS

if TYPE_CHECKING:
    from feature_repo.tables.contract import Column, Table

_KINDS = {
    Kind.STRING: "text",
    Kind.INT: "whole number",
    Kind.FLOAT: "number",
    Kind.BOOL: "true or false",
    Kind.DATE: "day",
    Kind.TIME: "time",
}

_OPENING = """\
# Raw tables

What Keepgrow reads: a folder of tables, each `NAME.parquet`, a folder `NAME/` of Parquet files, or
`NAME.csv`. `keepgrow check FOLDER` says whether a folder fits, and what is wrong if it does not; it
writes nothing.

This page is made from the contract in `feature_repo/tables/`: `python -m feature_repo.tables.reference
> docs/reference/tables.md`.

- **Required** are `accounts`, `subscriptions` and at least one of {usage}. Without another table its
  features are null, and the check says which features and models lose by it. {opt_in} feed
  views that only a training with `--with-views` learns from; nothing is lost without them.
- **Columns** may stand in any order, under exactly these names. One that may be null may also be
  absent. Others are ignored.
- **Times** are UTC: one without a zone is taken as UTC, one with another zone is converted; they are
  kept to the microsecond. A day is a UTC day. Both must lie in 2000 or later, and not after the end of
  data unless the table says that they may.
- **Numbers** are finite: an unknown number is null, not NaN. Numbers and times as text are read if they
  can be.
- **Account ids** are compared byte for byte: case and blanks count.
- **CSV** is comma-separated UTF-8 with one header line, with or without a byte-order mark; an empty
  field is null.
- Nothing is half-imported: a folder with an error is refused as a whole.

## Beside the tables

`{dataset}` (optional) says what no table can:

{dataset_fields}

Without `end_day` the end of data is the last usage day; without `plan_order` plans are ordered by their
median MRR.

`catalogue.yaml` (optional) lists plans, prices and actions for the service; the check warns of plans
that it lacks.
"""


def render() -> str:
    """Return the reference page of all raw tables as Markdown."""
    fields = "\n".join(
        f"- `{name}`: {field.description}"
        for name, field in DatasetInfo.model_fields.items()
        if field.description
    )
    usage = " and ".join(f"`{name}`" for name in USAGE_TABLES)
    opt_in = " and ".join(f"`{table.name}`" for table in TABLES if table.opt_in)
    opening = _OPENING.format(usage=usage, opt_in=opt_in, dataset=FILE_NAME, dataset_fields=fields)
    return "\n".join([opening, *(_section(table) for table in TABLES)])


def _section(table: Table) -> str:
    """Return one table's section."""
    needed = "Required." if table.required else "Optional."
    if table.opt_in:
        needed = "Optional, and for trainings that ask for it."
    if table.name in USAGE_TABLES:
        needed = f"One of {' and '.join(f'`{name}`' for name in USAGE_TABLES)} is required."
    lines = [
        f"## `{table.name}`",
        "",
        f"One row is {table.row}. {needed} Feeds {', '.join(table.feeds)}.",
        "",
        f"Key: {_listed(table.key)}. A row is known from `{table.time}` on.",
        "",
        "| column | type | null | allowed | meaning |",
        "|---|---|---|---|---|",
        *(_row(table, column) for column in table.columns),
        "",
    ]
    if table.not_before:
        pairs = "; ".join(f"`{later}` is not before `{earlier}`" for later, earlier in table.not_before)
        lines += [f"Order in time: {pairs}.", ""]
    if table.name == "usage_daily":
        lines += [
            (
                f"A day without a row counts as zero for {_listed(COUNT_METRICS)}, once the account has "
                f"reported the metric; for {_listed(GAUGE_METRICS)} it keeps the last value."
            ),
            "",
        ]
    return "\n".join(lines)


def _row(table: Table, column: Column) -> str:
    """Return one column's line."""
    kind = _KINDS[column.kind] + (f", {column.unit}" if column.unit else "")
    meaning = column.meaning + (" May lie after the end of data." if column.may_be_future else "")
    name = f"`{column.name}`" + (" (key)" if column.name in table.key else "")
    return f"| {name} | {kind} | {'yes' if column.nullable else 'no'} | {_allowed(column)} | {meaning} |"


def _allowed(column: Column) -> str:
    """Return which values *column* allows."""
    if column.values:
        return _listed(column.values)
    low = "" if column.minimum is None else f"at least {column.minimum:g}"
    high = "" if column.maximum is None else f"at most {column.maximum:g}"
    return ", ".join(part for part in (low, high) if part)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(render())
