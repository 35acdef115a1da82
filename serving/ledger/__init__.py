"""The decision ledger: what was known, decided, done and what came of it, in an append-only chain of entries."""
