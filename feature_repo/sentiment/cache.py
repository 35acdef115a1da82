"""Scores of tickets, kept between builds: a text is scored once for each version of the scorer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

    import ibis.expr.types as ir
    from ibis.backends.duckdb import Backend

    from feature_repo.sentiment.scorer import Scorer

BATCH = 20_000
SCHEMA = pa.schema(
    [
        ("ticket_id", pa.string()),
        ("text_digest", pa.string()),
        ("scorer", pa.string()),
        ("score", pa.float64()),
    ]
)


def scored_tickets(con: Backend, tickets: ir.Table, folder: Path, scorer: Scorer) -> tuple[ir.Table, int]:
    """Return *tickets* with a sentiment wherever there is a text, and how many texts were scored now.

    A sentiment that the table brings is kept. Others come from *folder*, to which new scores are added.

    Args:
        con: The engine that *tickets* belongs to.
        tickets: Raw `support_tickets`.
        folder: Keeps `*.parquet` with `ticket_id`, `text_digest`, `scorer`, `score`.
        scorer: Scores what is not there yet.
    """
    given = con.create_table(
        "tickets_given", tickets.mutate(text_digest=tickets["text"].hexdigest("md5")), temp=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    scores = _kept(con, folder, scorer)
    open_rows = given.filter(given["sentiment"].isnull() & given["text"].notnull())
    todo = open_rows.anti_join(scores, ["ticket_id", "text_digest"]).select(
        "ticket_id", "text_digest", "text"
    )
    waiting = con.create_table("tickets_waiting", todo.distinct(), temp=True)
    count = int(waiting.count().to_pyarrow().as_py())
    if count:
        _score(waiting, count, folder, scorer)
        scores = _kept(con, folder, scorer)
    # One score a ticket and text, even if two builds wrote the same one.
    scores = scores.group_by("ticket_id", "text_digest").agg(score=scores["score"].max())
    joined = given.left_join(
        scores.rename(scored_id="ticket_id", scored_digest="text_digest"),
        [given["ticket_id"] == scores["ticket_id"], given["text_digest"] == scores["text_digest"]],
    )
    filled = joined.mutate(sentiment=ibis.coalesce(joined["sentiment"], joined["score"]))
    return con.create_table("tickets_scored", filled.select(tickets.columns), temp=True), count


def _kept(con: Backend, folder: Path, scorer: Scorer) -> ir.Table:
    """Return the scores of *scorer* that are kept."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        return ibis.memtable(SCHEMA.empty_table())
    table = con.read_parquet([str(file) for file in files])
    return table.filter(table["scorer"] == scorer.version)


def _score(waiting: ir.Table, count: int, folder: Path, scorer: Scorer) -> None:
    """Score the texts that wait, batch by batch, into one new file."""
    number = len(list(folder.glob("*.parquet")))
    path = folder / f"scores-{number:06d}.parquet"
    temporary = folder / f".{path.name}.tmp"
    ordered = waiting.order_by("ticket_id", "text_digest")
    with pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for offset in range(0, count, BATCH):
            batch = ordered.limit(BATCH, offset=offset).to_pyarrow()
            scores = scorer.score(batch["text"].to_pylist())
            columns = [
                batch["ticket_id"].cast(pa.string()),
                batch["text_digest"].cast(pa.string()),
                pa.array([scorer.version] * batch.num_rows, pa.string()),
                pa.array(scores, pa.float64()),
            ]
            writer.write_table(pa.table(columns, schema=SCHEMA))
    os.replace(temporary, path)  # noqa: PTH105 - says replace, which is meant
