"""A lock is one process's, says whose it is, and ends with that process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from training.errors import InUseError
from training.process_lock import held, holder, try_lock

HOLDER = """
import sys, time
from pathlib import Path
from training.process_lock import try_lock
lock = try_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_a_lock_names_the_process_that_holds_it_and_a_killed_one_does_not_block(tmp_path):
    """Another process is refused with the number of the holder; once that is killed, the lock is free at once."""
    file = tmp_path / "search.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], env=os.environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            with (
                pytest.raises(
                    InUseError, match=rf"the search is under way in process {process.pid} on .*: wait for it"
                ),
                held(file, "the search", "wait for it"),
            ):
                pytest.fail("two processes hold one lock")
        finally:
            process.send_signal(signal.SIGKILL)
    assert f"process {process.pid} " in holder(file)
    with held(file, "the search", "wait for it"):
        assert f"process {os.getpid()} " in holder(file)
    with held(file, "the search", "wait for it"):
        pass


def test_what_can_not_be_opened_is_not_to_be_had(tmp_path):
    """Without its folder there is no lock, and nobody is named that holds it."""
    file = tmp_path / "absent" / "lock"
    assert try_lock(file) is None
    assert holder(file) == "another process"
