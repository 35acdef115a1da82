"""`keepgrow check` and `keepgrow import` print what was found; their exit codes say whether it is usable."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.feature_repo.importers.test_ravenstack import write_source
from tests.feature_repo.tables.folders import contents, good, write_folder

ROOT = Path(__file__).resolve().parents[2]


def keepgrow(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in the project's root."""
    command = [sys.executable, "-m", "keepgrow", *map(str, words)]
    wide = {**os.environ, "COLUMNS": "200"}  # however long the name of the test's folder is
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=wide)


def test_a_folder_that_fits_exits_with_0(tmp_path: Path) -> None:
    """Warnings are printed and do not count as failure."""
    done = keepgrow("check", write_folder(tmp_path, good()))
    assert (done.returncode, done.stderr) == (0, "")
    assert "fits the contract: 0 errors" in done.stdout
    assert "optional tables that are not there" in done.stdout
    assert "No uplift can be learned" in done.stdout


@pytest.mark.parametrize("name", ["it's [bold]", "plain"])
def test_a_breach_exits_with_1_and_shows_table_column_rows_and_example(tmp_path: Path, name: str) -> None:
    """What a person needs to find the rows is on the screen, markup in values and names included."""
    tables = good()
    tables["usage_daily"][0]["metric"] = "[red]logins"
    folder = write_folder(tmp_path / name, tables)
    before = contents(tmp_path)
    done = keepgrow("check", folder)
    assert (done.returncode, done.stderr) == (1, "")
    for part in ("usage_daily", "metric", "unknown value", "'[red]logins'", "1 errors"):
        assert part in done.stdout
    assert contents(tmp_path) == before


def test_an_empty_folder_exits_with_1(tmp_path: Path) -> None:
    """There is nothing to check, and that is said."""
    done = keepgrow("check", tmp_path)
    assert done.returncode == 1
    assert "is empty" in done.stdout


def test_an_import_prints_what_was_left_out_and_why(tmp_path: Path) -> None:
    """Tables, rows left out, contradictions and notes are on the screen; the tables are on disk."""
    done = keepgrow("import", "ravenstack", write_source(tmp_path / "source"), tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "tables written",
        "rows left out",
        "contradictions in the source",
        "before the account signed up",
    ):
        assert part in " ".join(done.stdout.replace("│", " ").split())
    assert (tmp_path / "out" / "accounts.parquet").exists()


def test_an_import_that_is_refused_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    """No traceback, nothing written."""
    done = keepgrow("import", "ravenstack", tmp_path / "nowhere", tmp_path / "out")
    assert done.returncode == 2
    assert "no such folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
