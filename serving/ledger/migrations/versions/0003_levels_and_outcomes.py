"""Levels of autonomy, and which outcomes belong to a decision: what the chain says, quick to read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
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
