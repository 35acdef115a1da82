"""Memory that is given back stays with the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from serving.allocator import keep_freed_memory

def faults(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        blocks = [b"x" * 430_000 for _ in range(4)]
        del blocks
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / rounds

if sys.argv[1] == "kept" and not keep_freed_memory():
    raise SystemExit("no such allocator")
faults(5)
print(faults(50))
"""


def faults_a_round(what: str) -> float:
    """Return the page faults of taking and giving back 1.7 MB, in a process of its own."""
    command = [sys.executable, "-c", FAULTS, what]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "no such allocator" in done.stderr:
        pytest.skip("this C library's allocator can't be told")
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_memory_of_a_large_answer_is_not_fetched_again_for_the_next() -> None:
    """Megabytes that are given back cost no page faults when they are taken again; by default they may."""
    assert faults_a_round("kept") < 10
    assert faults_a_round("default") > 10
