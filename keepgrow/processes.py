"""Child processes that never outlive their parent: each has a group, which is ended on the way out."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

GRACE_SECONDS = 10.0
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StepFailedError(Exception):
    """A child process ended with an error; it has said why itself."""

    def __init__(self, command: Sequence[str], exit_code: int) -> None:
        super().__init__(f"`{' '.join(command)}` ended with exit code {exit_code}")
        self.exit_code = exit_code


class Interruption:
    """Whether someone asked the program to stop.

    An exception that a signal raises while a finaliser or a callback of a C library runs is printed and
    forgotten. A loop that must stop calls `check` once a round, so that nothing is lost.
    """

    def __init__(self) -> None:
        self._asked = False

    def __call__(self, _signal: int, _frame: object) -> NoReturn:
        """Handle a signal: remember it and unwind the program."""
        self._asked = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Unwind the program if a signal came that was forgotten.

        Raises:
            KeyboardInterrupt: One came.
        """
        if self._asked:
            raise KeyboardInterrupt


@contextlib.contextmanager
def terminate_like_interrupt() -> Iterator[Interruption]:
    """Within this context SIGTERM and SIGHUP unwind the program just as Ctrl-C does."""
    asked = Interruption()
    previous = {number: signal.signal(number, asked) for number in STOPPING}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def free_port() -> int:
    """Return a port on loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[bytes]) -> None:
    """End *process* and all that it started: politely first, by force after `GRACE_SECONDS`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def running(command: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start *command* in a process group of its own and end the group when the context is left."""
    process = subprocess.Popen(list(command), env={**os.environ, **env}, start_new_session=True)  # noqa: S603
    try:
        yield process
    finally:
        end(process)


def run(command: Sequence[str], env: Mapping[str, str]) -> None:
    """Run *command* to its end.

    Raises:
        StepFailedError: It ended with an exit code other than 0.
    """
    with running(command, env) as process:
        code = process.wait()
    if code:
        raise StepFailedError(command, code)
