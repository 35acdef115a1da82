"""Moves what SQLite wrote to its log into its file, beside the writing, a little at a time.

Under steady writing there is always something in the log that is newer than a checkpoint, so SQLite never begins the
log anew until it is as long as `wal_autocheckpoint` says. Then a commit makes the last checkpoint itself and waits for
the disk; how long depends on how much was left for it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from serving.errors import LedgerUnavailable

if TYPE_CHECKING:
    from serving.ledger.database import Database

EVERY_SECONDS: Final = 0.1
"""At 300 decisions/s such a commit took 90 to 145 ms with a checkpoint each second, and under 20 ms with ten."""


class Checkpoints:
    """A thread that makes a checkpoint each tenth of a second; PostgreSQL has a process of its own for that."""

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
