"""A server's processes as one: processor time, memory, and holding them while another is measured."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import Final

import psutil

_MIB: Final = 1 << 20
_STOP_SECONDS: Final = 15.0
_SETTLE_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process tree, in MiB.

    Attributes:
        largest_process: Of its largest process, which is a worker.
        total: Of all of them; pages that they share count for each.
    """

    largest_process: float
    total: float


class ProcessTree:
    """A process and all below it; the members are looked up anew on each call."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def _members(self) -> list[psutil.Process]:
        """Return children before parents."""
        try:
            return [*reversed(self._root.children(recursive=True)), self._root]
        except psutil.NoSuchProcess:
            return []

    def cpu_seconds(self) -> float:
        """Return the processor time that the living members have used since they started."""
        used = 0.0
        for member in self._members():
            try:
                times = member.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += times.user + times.system
        return used

    def memory(self) -> Memory:
        """Return the resident memory right now."""
        sizes = []
        for member in self._members():
            try:
                sizes.append(member.memory_info().rss / _MIB)
            except psutil.NoSuchProcess:
                continue
        return Memory(max(sizes, default=0.0), sum(sizes))

    def hold(self) -> None:
        """Stop all members, so that what they do when idle does not disturb the measurement of another."""
        self._signal(list(reversed(self._members())), signal.SIGSTOP)

    def release(self) -> None:
        """Let them go on; workers first, so that a supervisor finds them alive."""
        *workers, root = self._members()
        self._signal(workers, signal.SIGCONT)
        time.sleep(_SETTLE_SECONDS)
        self._signal([root], signal.SIGCONT)

    def stop(self) -> None:
        """End all members: by SIGTERM to the first, and by SIGKILL what is left after a while."""
        members = self._members()
        self._signal(members, signal.SIGCONT)
        self._signal(members[-1:], signal.SIGTERM)
        _, left = psutil.wait_procs(members, timeout=_STOP_SECONDS)
        self._signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=_STOP_SECONDS)

    @staticmethod
    def _signal(members: list[psutil.Process], number: signal.Signals) -> None:
        for member in members:
            try:
                member.send_signal(number)
            except psutil.NoSuchProcess:
                continue
