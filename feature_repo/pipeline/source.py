"""The raw tables of one build: opened, staged where that pays, and cut into blocks of accounts.

An edge of the build: it knows files and the engine, so that the views need to know neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from feature_repo.errors import PipelineError
from feature_repo.pipeline.frame import Frame, date_of, make_spine, starts
from feature_repo.pipeline.inputs import READINGS, MonthDigests, month_digests
from feature_repo.tables.reading import connect, end_day, scan, table_files
from feature_repo.tables.registry import USAGE_TABLES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend

REQUIRED = ("accounts", "subscriptions")


@dataclass(slots=True)
class Source:
    """The raw tables of one build.

    Attributes:
        con: The engine.
        tables: Tables that are there, by name.
        end: Last day for which the data is complete.
        first: First day on which both an account exists and usage is known; earlier rows would say nothing.
        accounts: Number of accounts.
    """

    con: Backend
    tables: dict[str, ir.Table]
    end: dt.date
    first: dt.date
    accounts: int
    _blocks: int = 1
    _spines: dict[tuple[int, int, int], ir.Table] = field(default_factory=dict)

    def digests(self, name: str, last: int) -> MonthDigests:
        """Return the month digests of a table as known on day number *last*."""
        return month_digests(name, self.tables[name], last)

    @property
    def blocks(self) -> int:
        """Number of blocks that the accounts are cut into."""
        return self._blocks

    def block_into(self, blocks: int) -> None:
        """Stage the tables sorted into *blocks* blocks of accounts, so that each can be read by itself."""
        if blocks == self._blocks:
            return
        for name, table in list(self.tables.items()):
            if "account_id" in table.columns:
                self.tables[name] = self.staged(f"blocks_{name}", table, blocks)
        self._blocks = blocks

    def staged(self, name: str, table: ir.Table, blocks: int) -> ir.Table:
        """Return a temporary copy of *table*, sorted by `account_block`, the block of each row's account."""
        place = (table["account_id"].hash() % blocks + blocks) % blocks
        rows = table.mutate(account_block=place).order_by("account_block")
        return self.con.create_table(name, rows, temp=True)

    def frame(self, block: int, first: int, last: int) -> Frame:
        """Return the frame of one block of accounts for the days *first* to *last*."""
        tables = self.tables
        if self._blocks > 1:
            tables = {
                name: table.filter(table["account_block"] == block).drop("account_block")
                if "account_block" in table.columns
                else table
                for name, table in tables.items()
            }
        return self._frame(tables, block, first, last)

    def population(self, first: int, last: int) -> Frame:
        """Return the frame of all accounts for the days *first* to *last*."""
        return self._frame(self.tables, -1, first, last)

    def _frame(self, tables: Mapping[str, ir.Table], block: int, first: int, last: int) -> Frame:
        key = (block, first, last)
        if key not in self._spines:
            spine = make_spine(tables["accounts"], tables["subscriptions"], first, last)
            self._spines[key] = self.con.create_table(f"spine_{len(self._spines)}", spine, temp=True)
        return Frame(tables, self._spines[key], first, last)


def open_source(data: Path) -> Source:
    """Open the data folder *data*.

    Raises:
        DataFolderError: A file can't be read.
        PipelineError: A required table is absent or empty.
    """
    con = connect()
    tables = {name: table for name in READINGS if (table := scan(con, data, name)) is not None}
    missing = [name for name in REQUIRED if name not in tables]
    if missing:
        raise PipelineError(f"{data}: table {missing[0]!r} is absent; features need {' and '.join(REQUIRED)}")
    if not any(name in tables for name in USAGE_TABLES):
        raise PipelineError(
            f"{data}: neither {' nor '.join(USAGE_TABLES)} is there; features need one of them"
        )
    for name in list(tables):
        if table_files(data, name)[0].suffix == ".csv":
            tables[name] = con.create_table(f"staged_{name}", tables[name], temp=True)
    begin = starts(tables["accounts"], tables["subscriptions"])
    facts = begin.agg(accounts=begin.count(), first=begin["start_day"].min()).to_pyarrow().to_pylist()[0]
    if not facts["accounts"]:
        raise PipelineError(f"{data}: table 'accounts' has no rows; nothing can be built")
    used = [
        day
        for name in USAGE_TABLES
        if name in tables and (day := tables[name]["day"].min().to_pyarrow().as_py()) is not None
    ]
    first = max(date_of(facts["first"]), min(used, default=date_of(facts["first"])))
    return Source(con, tables, end_day(con, data), first, facts["accounts"])
