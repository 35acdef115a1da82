"""Entries, contents, account names, documents and rejections; append-only by triggers where that is promised."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = "the ledger is append-only"
SQLITE = (
    *(
        f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        for table, event in (
            ("entries", "UPDATE"), ("entries", "DELETE"), ("contents", "DELETE"),
            ("documents", "UPDATE"), ("documents", "DELETE"),
        )
    ),
    f"""CREATE TRIGGER contents_only_emptied BEFORE UPDATE ON contents
        WHEN NEW.seq IS NOT OLD.seq OR NEW.salt IS NOT NULL OR NEW.account_id IS NOT NULL
        OR NEW.content IS NOT NULL
        BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}: a content can only be emptied'); END""",
)  # fmt: skip
POSTGRESQL = (
    f"""CREATE FUNCTION keepgrow_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$""",
    *(
        f"CREATE TRIGGER {table}_append_only BEFORE {events} ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION keepgrow_append_only()"
        for table, events in (
            ("entries", "UPDATE OR DELETE"), ("documents", "UPDATE OR DELETE"), ("contents", "DELETE"),
        )
    ),
    *(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION keepgrow_append_only()"
        for table in ("entries", "contents", "documents")
    ),
    """CREATE TRIGGER contents_only_emptied BEFORE UPDATE ON contents FOR EACH ROW
        WHEN (NEW.seq IS DISTINCT FROM OLD.seq OR NEW.salt IS NOT NULL OR NEW.account_id IS NOT NULL
        OR NEW.content IS NOT NULL) EXECUTE FUNCTION keepgrow_append_only()""",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables and their triggers."""
    op.create_table(
        "entries",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "record_id", name="uq_entries_kind_record_id"),
    )
    op.create_index("ix_entries_account_seq", "entries", ["account", "seq"])
    op.create_table(
        "contents",
        sa.Column("seq", sa.BigInteger, sa.ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("account_id", sa.LargeBinary),
        sa.Column("content", sa.LargeBinary),
    )
    op.create_table(
        "account_names",
        sa.Column("account_id", sa.LargeBinary, primary_key=True),
        sa.Column("pseudonym", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "documents",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "rejections",
        sa.Column("account_id", sa.LargeBinary, primary_key=True),
        sa.Column("action", sa.Text, primary_key=True),
        sa.Column("until_us", sa.BigInteger, nullable=False),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)
