"""Moves what SQLite wrote to its log into its file, beside the writing: a commit that did it would take 20 ms."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from serving.errors import LedgerUnavailable

if TYPE_CHECKING:
    from serving.ledger.database import Database

EVERY_SECONDS: Final = 1.0


class Checkpoints:
    """A thread that makes a checkpoint each second; PostgreSQL does so itself."""

    def __init__(self, database: Database) -> None:
        """Start the thread."""
        self._database = database
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            with contextlib.suppress(LedgerUnavailable):  # the writer meets it too, and says so
                self._database.checkpoint()
