"""Levels of autonomy, and which outcomes belong to a decision: what the chain says, quick to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import sqlalchemy as sa
from alembic import op

if TYPE_CHECKING:
    from collections.abc import Iterator

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROWS_AT_ONCE: Final = 1_000
_OUTCOMES: Final = sa.text(
    "SELECT entries.seq, entries.record_id, contents.content FROM entries JOIN contents ON contents.seq = entries.seq "
    "WHERE entries.kind = 'outcome' AND contents.content IS NOT NULL AND entries.seq > :seq "
    "ORDER BY entries.seq LIMIT :most"
)


def upgrade() -> None:
    """Make the tables, and fill the second from the outcomes that are on record; emptied ones say no decision."""
    op.create_table(
        "autonomy_levels",
        sa.Column("action", sa.Text, primary_key=True),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "decision_outcomes",
        sa.Column("outcome_id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
    )
    op.create_index("ix_decision_outcomes_decision", "decision_outcomes", ["decision_id"])
    connection = op.get_bind()
    for rows in _recorded(connection):
        connection.execute(
            sa.text("INSERT INTO decision_outcomes (outcome_id, decision_id) VALUES (:outcome, :decision)"),
            rows,
        )


def _recorded(connection: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    """Yield each outcome's id and its decision's, some at a time."""
    seq = 0
    while found := connection.execute(_OUTCOMES, {"seq": seq, "most": ROWS_AT_ONCE}).all():
        seq = found[-1].seq
        yield [
            {
                "outcome": row.record_id,
                "decision": orjson.loads(bytes(row.content))["outcome"]["decision_id"],
            }
            for row in found
        ]
