"""Values that describe a raw table; the tables themselves stand beside this module, the check in `check`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a column holds; each kind names the one Arrow type that readers get."""

    STRING = "string"
    INT = "int64"
    FLOAT = "double"
    BOOL = "bool"
    DATE = "date32"
    TIME = "timestamp[us, UTC]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a raw table.

    Attributes:
        name: Column name, lower case with underscores; the unit is part of it.
        kind: What the column holds.
        meaning: One sentence for the people who fill it.
        nullable: Whether a null (or an absent column) is allowed.
        values: Allowed values of a `STRING`, empty if any.
        minimum: Smallest allowed number, or None.
        maximum: Largest allowed number, or None.
        unit: The unit, where the name does not say it.
        may_be_future: Whether a `TIME` or `DATE` may lie after the end of data, as contract terms do.
    """

    name: str
    kind: Kind
    meaning: str
    nullable: bool = False
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None
    may_be_future: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One raw table.

    Attributes:
        name: Table name; its file is `NAME.parquet`, `NAME.csv` or a folder `NAME/` of Parquet files.
        row: What one row is.
        key: Columns that together are unique.
        columns: All columns of the contract, in documentation order; others are ignored.
        feeds: Feature views and models that lose something when the table is absent.
        required: Whether the table must be there (usage needs one of its two tables).
        time: Column that says when a row became known, or None.
        opt_in: Whether it feeds nothing but views that models learn from only if a training asks for them; nothing is
            lost without it.
        not_before: Pairs (later, earlier) of columns; a later that precedes its earlier is a breach.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    feeds: tuple[str, ...]
    required: bool = False
    time: str | None = None
    opt_in: bool = False
    not_before: tuple[tuple[str, str], ...] = ()
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
