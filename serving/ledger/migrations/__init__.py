"""The steps by which a ledger's tables come to be, run by Alembic."""
