"""What Alembic runs: the steps, on the connection that it is given and within its transaction."""

from __future__ import annotations

from alembic import context

from serving.ledger.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,  # the caller's transaction holds all steps
)
context.run_migrations()
