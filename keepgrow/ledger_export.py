"""Writes the ledger's entries to Parquet, some thousands at a time."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from serving.ledger.database import Database
from serving.ledger.tables import CONTENTS, ENTRIES

ROWS_AT_ONCE = 5000
SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int32(), pa.string())),
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("account", pa.string()),
        pa.field("account_id", pa.string()),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("content", pa.string()),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("previous", pa.string(), nullable=False),
        pa.field("hash", pa.string(), nullable=False),
    ]
)


def export_entries(database: Database, dest: Path, kinds: Collection[str] = ()) -> int:
    """Write entries, in their order, to the Parquet file *dest*; it is there complete or not at all.

    Args:
        database: The ledger's.
        dest: The file.
        kinds: Kinds that are wanted; none given: all.

    Returns:
        How many.

    Raises:
        LedgerUnavailable: The database does not answer.
        OSError: The file can't be written.
    """
    wanted = (
        sa.select(*ENTRIES.c, CONTENTS.c.account_id, CONTENTS.c.content)
        .outerjoin(CONTENTS, CONTENTS.c.seq == ENTRIES.c.seq)
        .order_by(ENTRIES.c.seq)
    )
    if kinds:
        wanted = wanted.where(ENTRIES.c.kind.in_(sorted(kinds)))
    dest.parent.mkdir(parents=True, exist_ok=True)
    partial = dest.with_name(f".{dest.name}.{os.getpid()}")
    count = 0
    try:
        with (
            database.reading() as connection,
            pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer,
        ):
            rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(wanted)
            for part in rows.mappings().partitions():
                writer.write_batch(pa.RecordBatch.from_pylist([_row(row) for row in part], schema=SCHEMA))
                count += len(part)
        partial.replace(dest)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _row(row: Any) -> dict[str, Any]:  # noqa: ANN401 -- SQLAlchemy's row
    account, content = row["account_id"], row["content"]
    return {
        "seq": row["seq"],
        "kind": row["kind"],
        "record_id": row["record_id"],
        "account": row["account"],
        "account_id": None if account is None else bytes(account).decode("utf-8", "replace"),
        "at": row["at_us"],
        "content": None if content is None else bytes(content).decode(),
        "content_hash": row["content_hash"],
        "previous": row["previous"],
        "hash": row["hash"],
    }
