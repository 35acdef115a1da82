"""An import appears complete or not at all, and replaces only an earlier one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feature_repo.errors import DataFolderError
from feature_repo.importers.folder import REPORT_NAME, replaced_folder, save_report
from feature_repo.importers.report import ImportReport
from tests.feature_repo.tables.folders import contents

if TYPE_CHECKING:
    from pathlib import Path


def write_import(dest: Path, importer: str, text: str) -> None:
    """Write an import of one file."""
    with replaced_folder(dest, importer) as folder:
        (folder / "accounts.csv").write_text(text)
        save_report(ImportReport(importer=importer, tables=()), folder)


def test_a_new_and_an_empty_folder_are_filled(tmp_path: Path) -> None:
    """Parents are made; nothing but the import is left behind."""
    write_import(tmp_path / "new" / "deep", "x", "1")
    assert set(contents(tmp_path)) == {"new/deep/accounts.csv", f"new/deep/{REPORT_NAME}"}
    (tmp_path / "empty").mkdir()
    write_import(tmp_path / "empty", "x", "1")
    assert (tmp_path / "empty" / "accounts.csv").read_text() == "1"


def test_an_earlier_import_of_the_same_name_is_replaced_and_of_another_is_not(tmp_path: Path) -> None:
    """The report in the folder says who wrote it."""
    write_import(tmp_path / "d", "x", "1")
    write_import(tmp_path / "d", "x", "2")
    assert (tmp_path / "d" / "accounts.csv").read_text() == "2"
    with pytest.raises(DataFolderError, match="import of 'x', not of 'y'"):
        write_import(tmp_path / "d", "y", "3")
    assert (tmp_path / "d" / "accounts.csv").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_what_somebody_else_wrote_is_refused_and_untouched(tmp_path: Path) -> None:
    """A folder with other files, or with files added to an import, is never replaced; nor is a file."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(DataFolderError, match="not written by an import"):
        write_import(mine, "x", "1")
    write_import(tmp_path / "d", "x", "1")
    (tmp_path / "d" / "notes.txt").write_text("irreplaceable")
    with pytest.raises(DataFolderError, match=r"notes\.txt"):
        write_import(tmp_path / "d", "x", "2")
    with pytest.raises(DataFolderError, match="is a file"):
        write_import(mine / "thesis.txt", "x", "1")
    assert (mine / "thesis.txt").read_text() == "irreplaceable"
    assert (tmp_path / "d" / "accounts.csv").read_text() == "1"


def test_a_failure_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    """The earlier import stays byte for byte, and no half of the new one is left."""
    write_import(tmp_path / "d", "x", "1")
    before = contents(tmp_path)

    def fail() -> None:
        with replaced_folder(tmp_path / "d", "x") as folder:
            (folder / "accounts.csv").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_files_that_appear_while_the_import_runs_are_not_lost(tmp_path: Path) -> None:
    """The destination is looked at again before it is replaced."""

    def meddle() -> None:
        with replaced_folder(tmp_path / "d", "x") as folder:
            (folder / "accounts.csv").write_text("new")
            (tmp_path / "d").mkdir()
            (tmp_path / "d" / "thesis.txt").write_text("irreplaceable")

    with pytest.raises(DataFolderError, match="not written by an import"):
        meddle()
    assert (tmp_path / "d" / "thesis.txt").read_text() == "irreplaceable"
