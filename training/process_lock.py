"""Locks that end with the process that holds them, however it ends, and that tell which process that is.

The kernel drops the lock of a process that was killed (`flock`), so that a file left behind never blocks anybody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from typing import IO, TYPE_CHECKING

from training.errors import InUseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def try_lock(file: Path) -> IO[bytes] | None:
    """Return *file* locked until it is closed, with this process's number in it; None if it is not to be had.

    Args:
        file: Made if it is not there; its folder must be.
    """
    try:
        lock = file.open("ab")
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        lock.flush()
    except OSError:
        lock.close()
        return None
    return lock


def holder(file: Path) -> str:
    """Return who wrote its number into the lock *file* last, such as `process 4711 on build-2`."""
    with contextlib.suppress(OSError):
        told = file.read_text(encoding="utf-8", errors="replace").strip()
        if told:
            return told
    return "another process"


@contextlib.contextmanager
def held(file: Path, what: str, instead: str) -> Iterator[None]:
    """Hold the lock *file* within this context.

    Args:
        file: Made if it is not there, with its folder; it stays there.
        what: What is held, for the message.
        instead: What one can do about it, for the message.

    Raises:
        InUseError: Another process holds it; the message says which.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = try_lock(file)
    if lock is None:
        raise InUseError(f"{what} is under way in {holder(file)}: {instead}")
    with lock:
        yield
