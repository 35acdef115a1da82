"""Several processes on one ledger, and processes that are killed."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from serving.ledger.database import Database
from serving.ledger.schema import migrate
from serving.ledger.tables import ENTRIES
from serving.ledger.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def writers(url: str, names: Sequence[str], count: int) -> list[subprocess.Popen[str]]:
    """Start processes that begin together, append *count* entries each, and say each one once it is committed."""
    module = "tests.serving.ledger.process"
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, url, name, str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name in names
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def written(database: Database) -> set[str]:
    """Return the ids of all entries."""
    with database.reading() as connection:
        return set(connection.execute(sa.select(ENTRIES.c.record_id)).scalars())


def test_two_processes_write_one_chain(ledger_url: str) -> None:
    """Entries of two processes that start on no tables at all stand in one unbroken chain, none lost."""
    database = Database(ledger_url)
    if not database.embedded:
        migrate(database)
    processes = writers(ledger_url, ("left", "right"), 600)
    said = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [len(lines) for lines in said] == [600, 600]
    found = verify(database)
    assert (found.broken, found.entries) == (None, 1200)
    with database.reading() as connection:
        kinds = connection.execute(sa.select(ENTRIES.c.kind).order_by(ENTRIES.c.seq)).scalars().all()
    assert sum(one != two for one, two in itertools.pairwise(kinds)) > 1, "they did not overlap"
    database.close()


@pytest.mark.parametrize("after", [1, 40, 150])
def test_what_was_returned_survives_kill_9(tmp_path: Path, after: int) -> None:
    """A process killed at any moment leaves a sound chain that holds every entry that was returned."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    (process,) = writers(url, ["killed"], 100_000)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(after)]
    time.sleep(0.001 * (after % 7))
    process.kill()
    said += process.stdout.read().split("\n")[:-1]
    process.wait(20)
    database = Database(url)
    assert {line for line in said if line} <= written(database)
    assert verify(database).broken is None
    (again,) = writers(url, ["after"], 5)
    assert len(again.communicate(timeout=60)[0].split()) == 5
    assert verify(database).broken is None
    database.close()
