"""Holding, measuring and ending the processes of a server."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from loadtests.bench.process_tree import ProcessTree

CHILD = "import time\nwhile True: sum(range(1000))"
PARENT = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {CHILD!r}])\ntime.sleep(600)"


@pytest.fixture
def tree():
    """A process with a busy child."""
    process = subprocess.Popen([sys.executable, "-c", PARENT])
    found = ProcessTree(process.pid)
    deadline = time.monotonic() + 10
    while not psutil.Process(process.pid).children() and time.monotonic() < deadline:
        time.sleep(0.02)
    yield found
    found.stop()
    process.wait()


def used_within(tree, seconds):
    """Return the processor time that a tree uses in some seconds."""
    before = tree.cpu_seconds()
    time.sleep(seconds)
    return tree.cpu_seconds() - before


def test_a_held_tree_uses_no_processor_time_and_a_released_one_does(tree):
    """Children are held and released together with their parent."""
    tree.hold()
    time.sleep(0.1)
    assert used_within(tree, 0.4) <= 0.02
    tree.release()
    assert used_within(tree, 0.6) > 0.05


def test_memory_counts_children(tree):
    """The total is more than the largest process alone."""
    memory = tree.memory()
    assert 0 < memory.largest_process < memory.total


def test_a_held_tree_can_be_stopped(tree):
    """Nothing is left of a tree after it was stopped, even if it was held."""
    members = [psutil.Process(tree._root.pid), *psutil.Process(tree._root.pid).children()]
    tree.hold()
    tree.stop()
    assert not any(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in members)
    assert tree.cpu_seconds() == 0
