"""Counts what frequency caps and budgets allow, atomically, in the online store's server."""
