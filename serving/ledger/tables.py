"""The tables of the ledger. Other packages add theirs to the same `METADATA`, each with a migration of its own."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

METADATA: Final = MetaData()

ENTRIES: Final = Table(
    "entries",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("account", Text),
    Column("at_us", BigInteger, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("kind", "record_id", name="uq_entries_kind_record_id"),
    Index("ix_entries_account_seq", "account", "seq"),
)
"""The chain. Triggers refuse to change or delete a row."""

CONTENTS: Final = Table(
    "contents",
    METADATA,
    Column("seq", BigInteger, ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
    Column("salt", LargeBinary),
    Column("account_id", LargeBinary),
    Column("content", LargeBinary),
)
"""What the entries say. Triggers refuse any change but to empty a row, which erasure and retention do."""

ACCOUNT_NAMES: Final = Table(
    "account_names",
    METADATA,
    Column("account_id", LargeBinary, primary_key=True),
    Column("pseudonym", Text, nullable=False, unique=True),
)
"""Which random pseudonym stands for which account in `entries`; erasure deletes the row."""

DOCUMENTS: Final = Table(
    "documents",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Policies, catalogues and feature contracts by their hashes. Triggers refuse to change or delete a row."""

REJECTIONS: Final = Table(
    "rejections",
    METADATA,
    Column("account_id", LargeBinary, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("until_us", BigInteger, nullable=False),
)
"""Until when an account is not proposed an action that it rejected: the outcomes of `entries`, quick to read."""

AUTONOMY_LEVELS: Final = Table(
    "autonomy_levels",
    METADATA,
    Column("action", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("since_us", BigInteger, nullable=False),
)
"""How far each action has come on the ladder of autonomy: the promotions of `entries`, quick to read."""

DECISION_OUTCOMES: Final = Table(
    "decision_outcomes",
    METADATA,
    Column("outcome_id", Text, primary_key=True),
    Column("decision_id", Text, nullable=False),
    Index("ix_decision_outcomes_decision", "decision_id"),
)
"""Which outcomes of `entries` belong to a decision."""
