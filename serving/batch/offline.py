"""Reads the latest features of every account out of the feature Parquet files, a batch at a time.

DuckDB does the work with bounded memory and spills to disk; only the batch that is being scored is in Python.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from serving.batch.feature_table import ACCOUNT, FeatureTableError, feature_table_schema, time_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feature_repo.contract import FeatureContract

MEMORY_LIMIT = "1GB"


@dataclass(frozen=True, slots=True)
class OfflineFeatures:
    """Features of all accounts as of a time.

    Attributes:
        folder: Holds `VIEW/YYYY-MM.parquet`.
        contract: Which features to read.
        as_of: Rows stamped after this are not seen.
        look_back: Rows older than this before *as_of* are not seen either.
    """

    folder: Path
    contract: FeatureContract
    as_of: dt.datetime
    look_back: dt.timedelta

    @contextlib.contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection as of `connect`, which spills into a temporary folder, for as long as it is used.

        Raises:
            FeatureTableError: As `connect`.
        """
        with (
            tempfile.TemporaryDirectory(prefix="keepgrow-") as spill,
            contextlib.closing(self.connect(Path(spill))) as con,
        ):
            yield con

    def connect(self, spill_folder: Path) -> duckdb.DuckDBPyConnection:
        """Return a connection that knows every view as a table, bounded in memory.

        Raises:
            FeatureTableError: A view's files or one of its features are not there.
        """
        con = duckdb.connect(
            config={
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": str(spill_folder),
                "preserve_insertion_order": False,
                "threads": 2,
            }
        )
        con.execute("SET TimeZone = 'UTC'")
        for view in self.contract.views:
            files = [str(path) for path in self._files(view.name)]
            if not files:
                raise FeatureTableError(
                    f"{self.folder / view.name}: no features within {self.look_back.days} days before "
                    f"{self.as_of:%Y-%m-%d %H:%M} UTC; build them with `keepgrow features build`"
                )
            try:
                relation = con.read_parquet(files, union_by_name=True)
                missing = [
                    feature.name
                    for feature in self.contract.features
                    if feature.view == view.name and feature.name not in relation.columns
                ]
            except duckdb.Error as error:
                raise FeatureTableError(f"{self.folder / view.name}: can't be read: {error}") from error
            if missing:
                raise FeatureTableError(
                    f"{self.folder / view.name}: lacks {', '.join(missing)}, which the model was trained on"
                )
            relation.create_view(f"view_{view.name}")
        return con

    def _files(self, view: str) -> list[Path]:
        first = (self.as_of - self.look_back - dt.timedelta(days=1)).strftime("%Y-%m")
        last = self.as_of.strftime("%Y-%m")
        return sorted(
            path for path in (self.folder / view).glob("*.parquet") if first <= path.stem[:7] <= last
        )

    def count(self, con: duckdb.DuckDBPyConnection) -> int:
        """Return how many accounts have features."""
        rows = con.execute(f"SELECT count(*) FROM ({self._accounts()})").fetchall()  # noqa: S608 -- names of the contract
        return int(rows[0][0])

    def left_out(self, con: duckdb.DuckDBPyConnection) -> int:
        """Return how many accounts had features up to *as_of*, but none within the look-back."""
        ever = " UNION ".join(
            f"SELECT {ACCOUNT} FROM read_parquet(?, union_by_name=True) "  # noqa: S608 -- our own names
            f"WHERE event_timestamp <= TIMESTAMPTZ '{self.as_of.isoformat()}'"
            for _ in self.contract.views
        )
        files = [
            [str(path) for path in sorted((self.folder / view.name).glob("*.parquet"))]
            for view in self.contract.views
        ]
        query = f"SELECT count(*) FROM ({ever} EXCEPT ({self._accounts()}))"  # noqa: S608 -- our own names
        return int(con.execute(query, files).fetchall()[0][0])

    def batches(self, con: duckdb.DuckDBPyConnection, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the features of all accounts, at most *rows* at a time, as `feature_table_schema` says."""
        schema = feature_table_schema(self.contract)
        relation = con.sql(self._query())
        # DuckDB 1 has another name for it.
        read = (
            relation.to_arrow_reader if hasattr(relation, "to_arrow_reader") else relation.fetch_record_batch
        )
        for batch in read(rows):
            for start in range(0, batch.num_rows, rows):
                part = batch.slice(start, rows)
                yield pa.RecordBatch.from_arrays(
                    [part.column(name).cast(schema.field(name).type) for name in schema.names], schema=schema
                )

    def _within(self) -> str:
        since = self.as_of - self.look_back
        return (
            f"event_timestamp <= TIMESTAMPTZ '{self.as_of.isoformat()}' "
            f"AND event_timestamp > TIMESTAMPTZ '{since.isoformat()}'"
        )

    def _accounts(self) -> str:
        return " UNION ".join(
            f"SELECT {ACCOUNT} FROM view_{view.name} WHERE {self._within()}"  # noqa: S608 - names are the contract's
            for view in self.contract.views
        )

    def _query(self) -> str:
        latest, joins, columns = [], [], [f"a.{ACCOUNT}"]
        for view in self.contract.views:
            name = view.name
            latest.append(
                f"latest_{name} AS MATERIALIZED (SELECT {ACCOUNT}, max(event_timestamp) AS event_timestamp "  # noqa: S608 -- names of the contract
                f"FROM view_{name} WHERE {self._within()} GROUP BY 1)"
            )
            features = [feature.name for feature in self.contract.features if feature.view == name]
            picked = ", ".join(f'v."{feature}"' for feature in features)
            latest.append(
                f"now_{name} AS (SELECT v.{ACCOUNT}, v.event_timestamp, {picked} FROM view_{name} v "  # noqa: S608 -- names of the contract
                f"JOIN latest_{name} l USING ({ACCOUNT}, event_timestamp))"
            )
            joins.append(f"LEFT JOIN now_{name} ON now_{name}.{ACCOUNT} = a.{ACCOUNT}")
            columns.append(f"now_{name}.event_timestamp AS {time_column(name)}")
            columns += [f'now_{name}."{feature}"' for feature in features]
        selected = f"SELECT {', '.join(columns)} FROM ({self._accounts()}) a {' '.join(joins)}"  # noqa: S608 - names of the contract
        return f"WITH {', '.join(latest)} {selected}"
