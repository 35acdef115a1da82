"""Where the trials of a search are kept: a journal in a folder, for one process a search at a time.

Both locks end with the process that holds them, so that one that was killed never keeps the next from going on;
Optuna's own lock of the journal is a file that stays, and would be waited for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import warnings
from typing import IO, TYPE_CHECKING

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from training.process_lock import held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optuna.storages import BaseStorage

JOURNAL = "tuning.journal"
_NAME_LENGTH = 16


class JournalLock(JournalFileOpenLock):
    """Lets one process at a time append to the journal; what Optuna's own would leave behind, the kernel clears."""

    def __init__(self, file: Path) -> None:
        """Lock by *file*, which stays."""
        super().__init__(str(file))
        self._file = file
        self._held: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for the lock and take it."""
        lock = self._file.open("ab")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._held = lock
        return True

    def release(self) -> None:
        """Give it back."""
        if self._held is not None:
            self._held.close()
            self._held = None


@contextlib.contextmanager
def open_study(folder: Path | None, name: str, *, startup_trials: int) -> Iterator[optuna.Study]:
    """Open the search *name* for this process alone, with what a killed run left unfinished set aside.

    Args:
        folder: Holds the journal and the locks; in memory if None.
        name: What the search depends on; searches of other names are not touched.
        startup_trials: Trials before any is pruned.

    Raises:
        InUseError: Another process is at this very search; the message says which.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with contextlib.ExitStack() as stack:
        storage: BaseStorage = InMemoryStorage()
        if folder is not None:
            short = hashlib.sha256(name.encode()).hexdigest()[:_NAME_LENGTH]
            stack.enter_context(
                held(
                    folder / f"search-{short}.lock",
                    f"{folder}: tuning of the same data, definitions and seed",
                    "wait for it, end it, or name another folder (--tune-folder)",
                )
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                lock = JournalLock(folder / f"{JOURNAL}.flock")
                storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL), lock_obj=lock))
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            direction="minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=startup_trials),
        )
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        yield study
