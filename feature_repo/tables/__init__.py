"""The raw-table contract: what a user brings, one table a module, and the check of it."""

from feature_repo.tables.registry import TABLES, table

__all__ = ["TABLES", "table"]
