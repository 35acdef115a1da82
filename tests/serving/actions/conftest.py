"""Fixtures of the tests of actions: a real ledger of each test's own, in each database."""

from __future__ import annotations

from tests.serving.ledger.conftest import ledger, ledger_url

__all__ = ["ledger", "ledger_url"]
