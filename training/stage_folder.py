"""Files of finished stages of a training, in a folder that has the name of all that they depend on.

A file is there whole or not at all, and one that was damaged reads as if it were not there. Whose training is running
holds a lock on its folder, which ends with the process; folders that nobody holds belong to trainings that were killed.
The files are pickles, and whoever may write them may run code as the user who trains: the folder is its owner's alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import shutil
import stat
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from training.process_lock import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK = "lock"
_DIGEST_BYTES = 32
_NAME_LENGTH = 32
_ATTEMPTS = 10
_OURS = re.compile(r"training-[0-9a-f]{32}")
DAMAGED = (
    OSError,
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
)
"""What reading a pickle of other code, or half a pickle, may raise."""


@dataclass(frozen=True, slots=True)
class KeptStage:
    """What a file holds.

    Attributes:
        seconds: What the stage took.
        peak_memory_bytes: Most memory that its process had held when it ended.
        result: The pickled result.
    """

    seconds: float
    peak_memory_bytes: int
    result: bytes


@dataclass(slots=True)
class StageFolder:
    """The folder of one training, below one that holds those of several for as long as they run.

    Attributes:
        root: The folder that holds it.
        key: What the stages depend on.
    """

    root: Path
    key: str
    _lock: IO[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def path(self) -> Path:
        """The training's own folder."""
        return self.root / f"training-{_short(self.key)}"

    def take(self) -> bool:
        """Make the folder if it is not there, delete those that nobody holds, and return whether this one is ours.

        It is not if another process is at the same training right now, or if others than its owner may write to it:
        pickles of theirs would run as this user.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = self._held()
        clear(self.root, keep=self.path)
        return self._lock is not None

    def _held(self) -> IO[bytes] | None:
        """Return the lock of the folder, made if it is not there; None if it is not to be had."""
        for _ in range(_ATTEMPTS):
            self.path.mkdir(exist_ok=True, mode=0o700)
            if not _is_private(self.path):
                return None
            lock = try_lock(self.path / _LOCK)
            if lock is None:
                return None
            # Between opening and locking, another training may have deleted the folder as nobody's.
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(lock.fileno()), (self.path / _LOCK).stat()):
                    return lock
            lock.close()
        return None

    def read(self, stage: str) -> KeptStage | None:
        """Return what was kept of *stage*; None if nothing was, or what was is damaged."""
        try:
            content = self._file(stage).read_bytes()
            digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
            if hashlib.sha256(body).digest() != digest:
                return None
            seconds, peak, result = pickle.loads(body)  # noqa: S301 - the owner's own file
        except DAMAGED:
            return None
        return KeptStage(seconds, peak, result)

    def write(self, stage: str, kept: KeptStage) -> None:
        """Keep *stage*, all of it or nothing, whatever ends the process or the machine meanwhile."""
        body = pickle.dumps((kept.seconds, kept.peak_memory_bytes, kept.result), protocol=5)
        file = self._file(stage)
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = file.with_suffix(".partial")
        with partial.open("wb") as out:
            out.write(hashlib.sha256(body).digest() + body)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)

    def drop(self) -> None:
        """Delete the folder, and the one around it if it holds no other."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        with contextlib.suppress(OSError):
            self.root.rmdir()

    def _file(self, stage: str) -> Path:
        return self.path / f"{_short(stage)}.stage"


def clear(root: Path, keep: Path | None = None) -> None:
    """Delete the folders of all trainings below *root* that no process holds, and nothing else.

    Args:
        root: Holds them; it need not be there.
        keep: The one that stays.
    """
    for folder in _trainings(root):
        if folder == keep:
            continue
        lock = try_lock(folder / _LOCK)
        if lock is not None:
            with lock:
                shutil.rmtree(folder, ignore_errors=True)


def _trainings(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (one for one in sorted(root.iterdir()) if _OURS.fullmatch(one.name) and one.is_dir())


def _is_private(folder: Path) -> bool:
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_NAME_LENGTH]
