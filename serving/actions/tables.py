"""The tables of actions beside the ledger's chain: idempotency keys, the outbox, and who sends from it.

They are work to be done and answers to be repeated, so rows change and go. What happened is in the chain.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from serving.ledger.tables import METADATA

_SEQUENCE: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself in a column of type INTEGER only."""

IDEMPOTENCY_KEYS: Final = Table(
    "idempotency_keys",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("receipt_id", Text, nullable=False),
    Column("account_id", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_idempotency_keys_account", "account_id"),
)
"""Answers of apply by their keys."""

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("account_id", LargeBinary, nullable=False),
    Column("receipt_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("retry_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("delivered_us", BigInteger),
    Column("last_error", Text),
    UniqueConstraint("event_id", "target", name="uq_outbox_event_target"),
    Index("ix_outbox_state", "state", "due_us"),
    Index("ix_outbox_account", "account_id", "target", "seq"),
    Index("ix_outbox_receipt", "receipt_id"),
)
"""One row for each event and place that it goes to; `state` is one of `outbox_row.STATES`."""

LEASES: Final = Table(
    "leases",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)
"""Who does something that one process at a time may do, by the machines' clocks."""
