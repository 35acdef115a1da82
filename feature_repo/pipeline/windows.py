"""Windows over a dense daily table, and exact numbers to put into them.

Sums run over whole numbers (thousandths or millionths of the unit, held as float64, which is exact up to
2**53), so that they depend neither on the order of rows nor on the first row of a window: building day by day
then equals building at once to the last bit. Engines disagree about the least of a number and null; `at_most`
keeps the null.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

MILLI = 1000.0
MICRO = 1_000_000.0
LARGEST = 5e10
"""A day's value is held at this magnitude, so that sums of thousandths over 180 days stay exact."""


def milli(value: ir.Column) -> ir.FloatingColumn:
    """Return *value* in thousandths, as whole numbers; null and NaN become null."""
    return _scaled(value, MILLI, LARGEST)


def micro(value: ir.Column) -> ir.FloatingColumn:
    """Return *value* in millionths, as whole numbers; null and NaN become null."""
    return _scaled(value, MICRO, LARGEST / MILLI * 100)


def _scaled(value: ir.Column, scale: float, largest: float) -> ir.FloatingColumn:
    number = value.cast("float64")
    held = ibis.ifelse(number.isnan(), ibis.null("float64"), at_least(at_most(number, largest), -largest))
    return (held * scale).round().cast("float64")


def at_most(column: ir.Column, limit: float) -> ir.Column:
    """Return *column*, or *limit* where it is larger; null stays null."""
    return ibis.ifelse(column > limit, ibis.literal(limit), column)


def at_least(column: ir.Column, limit: float) -> ir.Column:
    """Return *column*, or *limit* where it is smaller; null stays null."""
    return ibis.ifelse(column < limit, ibis.literal(limit), column)


def flag(condition: ir.BooleanColumn) -> ir.FloatingColumn:
    """Return 1 where *condition* holds, and 0 where it does not or is null."""
    return ibis.ifelse(condition, ibis.literal(1.0), ibis.literal(0.0))


def rolling(column: ir.Column, days: int, *, skip: int = 0) -> ir.Column:
    """Return the sum of *column* (float64) over *days* rows that end *skip* rows before the current one."""
    window = ibis.window(group_by="account_id", order_by="day", rows=(-(days + skip - 1), -skip))
    return column.sum().over(window)


def running_sum(column: ir.Column) -> ir.Column:
    """Return the sum of *column* (float64) over all rows up to the current one."""
    return column.sum().over(ibis.window(group_by="account_id", order_by="day", rows=(None, 0)))


def running_max(column: ir.Column) -> ir.Column:
    """Return the largest value of *column* over all rows up to the current one."""
    return column.max().over(ibis.window(group_by="account_id", order_by="day", rows=(None, 0)))


def carried(table: ir.Table, *columns: str) -> ir.Table:
    """Return *table* with each of *columns* carried on: its last value that is not null, up to the current row."""
    marks = {f"{name}_told": running_sum(flag(table[name].notnull())) for name in columns}
    marked = table.mutate(**marks)
    told = {
        name: marked[name].max().over(ibis.window(group_by=("account_id", f"{name}_told")))
        for name in columns
    }
    return marked.mutate(**told).drop(*marks)


def lag(column: ir.Column, days: int) -> ir.Column:
    """Return *column* of *days* rows before; null where there is no such row."""
    return column.lag(days).over(ibis.window(group_by="account_id", order_by="day"))


def ratio(over: ir.Column, under: ir.Column) -> ir.Column:
    """Return *over* / *under* as float64; null where either is null or *under* is 0."""
    return over.cast("float64") / under.cast("float64").nullif(0.0)
