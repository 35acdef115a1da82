"""Writing a view's month files so that nobody meets half a file, even if a build is cut off.

New files are made in a folder beside the views and renamed into place when all of them are complete.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

    from feature_repo.pipeline.spec import ViewSpec

ARROW_TYPES = {"Float64": pa.float64(), "Int64": pa.int64(), "String": pa.string(), "Bool": pa.bool_()}
UTC_TIME = pa.timestamp("us", "UTC")


def schema_of(spec: ViewSpec) -> pa.Schema:
    """Return the Arrow schema of the view's files."""
    fixed = [("account_id", pa.string()), ("event_timestamp", UTC_TIME), ("created", UTC_TIME)]
    return pa.schema([*fixed, *((feature.name, ARROW_TYPES[feature.dtype]) for feature in spec.features)])


def month_of(day: dt.date) -> str:
    """Return the month of *day* as `YYYY-MM`, the stem of the file that holds its rows."""
    return f"{day:%Y-%m}"


def end_of_day(day: dt.date) -> dt.datetime:
    """Return the event time of the rows of *day*: the start of the next day, UTC."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)


class MonthFiles:
    """New month files of one view; use as a context, and `commit` when all rows are added.

    Args:
        out: The features' folder.
        spec: The view.
        since: First day that is written anew; rows of earlier days in its month are kept, later files
            replaced.
    """

    def __init__(self, out: Path, spec: ViewSpec, since: dt.date) -> None:
        self._folder = out / spec.name
        self._making = out / ".building" / spec.name
        self._schema = schema_of(spec)
        self._since = since
        self._writers: dict[str, pq.ParquetWriter] = {}
        self.kept_rows = 0
        self.new_rows = 0

    def __enter__(self) -> Self:
        shutil.rmtree(self._making, ignore_errors=True)
        self._making.mkdir(parents=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._keep(month_of(self._since))
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()
        shutil.rmtree(self._making, ignore_errors=True)

    def add(self, month: str, rows: pa.Table) -> None:
        """Add *rows*, all of days in *month*."""
        if rows.num_rows:
            self._writer(month).write_table(rows.cast(self._schema))
            self.new_rows += rows.num_rows

    def commit(self) -> None:
        """Put the new files in place, and remove those of later months that have no rows any more."""
        for writer in self._writers.values():
            writer.close()
        made = sorted(self._writers)
        self._writers = {}
        for month in made:
            os.replace(self._making / f"{month}.parquet", self._folder / f"{month}.parquet")  # noqa: PTH105 - as in state
        for file in self._folder.glob("*.parquet"):
            if file.stem >= month_of(self._since) and file.stem not in made:
                file.unlink()

    def _writer(self, month: str) -> pq.ParquetWriter:
        if month not in self._writers:
            self._writers[month] = pq.ParquetWriter(
                self._making / f"{month}.parquet", self._schema, compression="zstd"
            )
        return self._writers[month]

    def _keep(self, month: str) -> None:
        """Copy the rows of days before the first new one out of the month's present file."""
        present = self._folder / f"{month}.parquet"
        if self._since.day == 1 or not present.exists():
            return
        limit = pa.scalar(end_of_day(self._since), UTC_TIME)
        with pq.ParquetFile(present) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                rows = rows.filter(pc.less(rows["event_timestamp"], limit))
                if rows.num_rows:
                    self._writer(month).write_table(rows.cast(self._schema))
                    self.kept_rows += rows.num_rows
