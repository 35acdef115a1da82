"""Two small synthetic worlds: one across two blocks of accounts, one wide enough to count events."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.synthetic.settings import WorldReport, WorldSettings
from training.synthetic.world import generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = WorldSettings(
    accounts=300, days=200, seed=11, end=dt.date(2026, 3, 31), part_accounts=250, truth_paths=8
)


def read_table(folder: Path, name: str) -> pa.Table:
    """Return all part files of the table *name*, in order."""
    return pa.concat_tables(pq.read_table(part) for part in sorted((folder / name).glob("part-*.parquet")))


@pytest.fixture(scope="session")
def small_report(tmp_path_factory: pytest.TempPathFactory) -> WorldReport:
    """A world of 300 accounts (two blocks, two parts) and 200 days."""
    return generate(SMALL, tmp_path_factory.mktemp("synthetic") / "world")


@pytest.fixture(scope="session")
def small_table(small_report: WorldReport) -> Callable[[str], pa.Table]:
    """Read a table of the small world by its name."""
    return lambda name: read_table(small_report.dest, name)
