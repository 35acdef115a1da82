"""The check names files and folders that can't be read, instead of failing on them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from feature_repo.tables.breach import Rule, Severity
from feature_repo.tables.check import check
from tests.feature_repo.tables.folders import contents, good, write_csv, write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from feature_repo.tables.breach import Breach


def only_error(folder: Path) -> Breach:
    """Return the one error of *folder*."""
    (breach,) = check(folder).errors
    return breach


def test_a_folder_that_does_not_exist_or_is_a_file_is_one_error(tmp_path: Path) -> None:
    """What is not a folder is said to be none."""
    assert only_error(tmp_path / "nowhere").rule is Rule.FOLDER
    (tmp_path / "file").write_text("x")
    assert "is a file" in only_error(tmp_path / "file").sentence


def test_an_empty_folder_is_one_error(tmp_path: Path) -> None:
    """An empty folder is not a list of nine missing tables."""
    assert only_error(tmp_path).rule is Rule.EMPTY_FOLDER


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every folder")
def test_a_folder_without_read_access_is_one_error(tmp_path: Path) -> None:
    """A folder that may not be read is said to need access."""
    folder = write_folder(tmp_path / "closed", good())
    folder.chmod(0)
    try:
        assert "grant" in only_error(folder).sentence
    finally:
        folder.chmod(0o700)


def test_a_truncated_parquet_file_is_unreadable_and_the_other_tables_are_still_checked(
    tmp_path: Path,
) -> None:
    """Half a file is one error of its table; breaches of the others are found all the same."""
    tables = good()
    tables["accounts"][0]["timezone"] = "Mars"
    folder = write_folder(tmp_path, tables, form="parquet")
    path = folder / "usage_daily.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    rules = {breach.table: breach.rule for breach in check(folder).errors}
    assert rules == {"usage_daily": Rule.UNREADABLE, "accounts": Rule.TIME_ZONE}


def test_a_parquet_file_damaged_inside_is_unreadable(tmp_path: Path) -> None:
    """A file whose footer is whole but whose data is not is found, and does not count as read."""
    folder = write_folder(tmp_path, good(), form="parquet")
    path = folder / "usage_daily.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[4:60] = b"\xff" * 56
    path.write_bytes(bytes(damaged))
    report = check(folder)
    assert [(b.table, b.rule) for b in report.errors] == [("usage_daily", Rule.UNREADABLE)]
    assert {t.name: t.readable for t in report.tables}["usage_daily"] is False


@pytest.mark.parametrize("content", [b"", b"this is no table", b"PK\x03\x04 a spreadsheet"])
def test_what_is_not_parquet_is_unreadable(tmp_path: Path, content: bytes) -> None:
    """A file that only bears the name is said to be no complete Parquet file."""
    folder = write_folder(tmp_path, good())
    (folder / "invoices.parquet").write_bytes(content)
    breach = only_error(folder)
    assert (breach.table, breach.rule) == ("invoices", Rule.UNREADABLE)
    assert "complete Parquet file" in breach.sentence


def test_a_csv_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """The mark is not part of the first column's name."""
    folder = write_folder(tmp_path, good())
    write_csv(folder, "accounts", good()["accounts"], encoding="utf-8-sig")
    assert (folder / "accounts.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert check(folder).errors == ()


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "Zoe"), ("latin-1", "Zoë")])
def test_another_encoding_is_unreadable(tmp_path: Path, encoding: str, name: str) -> None:
    """Text that is not UTF-8 is refused, in the header as in the rows."""
    folder = write_folder(tmp_path, good())
    rows = [{**row, "account_name": name} for row in good()["accounts"]]
    write_csv(folder, "accounts", rows, encoding=encoding)
    breach = only_error(folder)
    assert (breach.table, breach.rule) == ("accounts", Rule.UNREADABLE)
    assert "UTF-8" in breach.sentence


def test_csv_rows_of_another_width_are_counted_and_shown_with_their_lines(tmp_path: Path) -> None:
    """Stray and missing commas are located; the other tables are checked all the same."""
    folder = write_folder(tmp_path, good())
    with (folder / "accounts.csv").open("a", newline="") as file:
        file.write("c,2024-01-01,UTC,5,extra\r\nd,2024-01-01\r\ne,2024-01-01,UTC,5\r\n")
    breach = only_error(folder)
    assert (breach.rule, breach.rows) == (Rule.MALFORMED_ROWS, 2)
    assert breach.examples[0] == "line 4: 5 fields, 'c,2024-01-01,UTC,5,extra'"
    assert breach.examples[1].startswith("line 5: 2 fields")


@pytest.mark.parametrize(
    ("line", "part"),
    [(b'c,2024-01-01,"UTC,5\r\n', "needs quotes"), (b"c,2024-01-01,UTC,5\n", "line ends are mixed")],
)
def test_an_open_quote_and_mixed_line_ends_are_named(tmp_path: Path, line: bytes, part: str) -> None:
    """What the reader can't make sense of is explained, not quoted from its insides."""
    folder = write_folder(tmp_path, good())
    with (folder / "accounts.csv").open("ab") as file:
        file.write(line)
    breach = only_error(folder)
    assert breach.rule is Rule.MALFORMED_ROWS
    assert part in breach.sentence


def test_a_line_of_many_megabytes_is_refused_with_its_size(tmp_path: Path) -> None:
    """The limit on a line is named, and the line itself is not printed."""
    folder = write_folder(tmp_path, good())
    with (folder / "accounts.csv").open("ab") as file:
        file.write(b'c,2024-01-01,"' + b"x" * 10_000_000 + b'",5\r\n')
    breach = only_error(folder)
    assert breach.rule is Rule.MALFORMED_ROWS
    assert "line size" in breach.sentence
    assert len(breach.sentence) < 700


def test_bytes_that_are_no_text_deep_in_a_file_are_found(tmp_path: Path) -> None:
    """The encoding is checked to the last row."""
    folder = write_folder(tmp_path, good())
    lines = "".join(f"x{n},2024-01-01,UTC,5\r\n" for n in range(5000)).encode()
    with (folder / "accounts.csv").open("ab") as file:
        file.write(lines + b"bad\xff,2024-01-01,UTC,5\r\n")
    breach = only_error(folder)
    assert breach.rule is Rule.UNREADABLE
    assert "not UTF-8" in breach.sentence


@pytest.mark.parametrize(
    ("header", "part"), [("", "no header"), ("account_id,account_id,created_at\n", "there twice")]
)
def test_a_csv_without_a_usable_header_is_unreadable(tmp_path: Path, header: str, part: str) -> None:
    """An empty file has no header, and a column named twice can't be told apart."""
    folder = write_folder(tmp_path, good())
    (folder / "accounts.csv").write_text(header)
    assert part in only_error(folder).sentence


def test_a_table_in_two_forms_is_refused(tmp_path: Path) -> None:
    """Nobody guesses which of two files is the table."""
    folder = write_folder(tmp_path, good())
    write_folder(folder, {"accounts": good()["accounts"]}, form="parquet")
    assert "more than once" in only_error(folder).sentence


def test_a_table_folder_without_parquet_files_is_an_error(tmp_path: Path) -> None:
    """An empty table folder is not an absent table."""
    folder = write_folder(tmp_path, good())
    (folder / "invoices").mkdir()
    assert "holds no Parquet file" in only_error(folder).sentence


def test_files_of_other_names_are_pointed_out(tmp_path: Path) -> None:
    """A misspelt table is not passed over in silence."""
    folder = write_folder(tmp_path, good())
    (folder / "Invoices.csv").write_text("a\n1\n")
    (breach,) = [b for b in check(folder).breaches if b.rule is Rule.UNKNOWN_FILE]
    assert breach.examples == ("Invoices.csv",)
    assert breach.severity is Severity.WARNING


@pytest.mark.parametrize("text", ["end_day: soon\n", "plans: [a]\n", "a: b: c\n", "- 1\n"])
def test_a_bad_dataset_yaml_is_an_error(tmp_path: Path, text: str) -> None:
    """The file beside the tables is checked as well."""
    folder = write_folder(tmp_path, good())
    (folder / "dataset.yaml").write_text(text)
    assert only_error(folder).rule is Rule.DATASET


@pytest.mark.parametrize("text", ["plans: 5\n", "plans: [{name: x}]\n", "]"])
def test_a_bad_catalogue_yaml_is_an_error(tmp_path: Path, text: str) -> None:
    """A catalogue without plan keys is named, not tripped over."""
    folder = write_folder(tmp_path, good())
    (folder / "catalogue.yaml").write_text(text)
    assert only_error(folder).rule is Rule.CATALOGUE


def test_a_refused_folder_is_left_as_it_was(tmp_path: Path) -> None:
    """Unreadable files keep their bytes and times."""
    folder = write_folder(tmp_path, good())
    (folder / "invoices.parquet").write_bytes(b"broken")
    before = contents(folder)
    assert not check(folder).ok
    assert contents(folder) == before
