"""The destination of an import: it appears complete or not at all, and replaces nothing that others made."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from feature_repo.errors import DataFolderError
from feature_repo.importers.report import ImportReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORT_NAME = "import_report.json"


@contextmanager
def replaced_folder(dest: Path, importer: str) -> Iterator[Path]:
    """Give a new folder beside *dest* to write into, and put it in *dest*'s place when the block ends well.

    If the block raises, *dest* stays as it was; if the process dies, nothing that was there is lost.

    Args:
        dest: Where the import shall be; absent, empty, or an earlier import by the same importer.
        importer: Name of the importer.

    Raises:
        DataFolderError: *dest* holds something else, or can't be written.
    """
    dest = dest.resolve()
    refuse_foreign(dest, importer)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        fresh = tempfile.TemporaryDirectory(prefix=f".{dest.name}.", dir=dest.parent)
    except OSError as error:
        raise DataFolderError(
            f"{dest}: can't be written ({error.strerror}); choose another folder"
        ) from error
    with fresh as outer_name:
        outer = dest.parent / outer_name
        made = outer / "new"
        made.mkdir()
        yield made
        refuse_foreign(dest, importer)
        old = outer / "old"
        if dest.exists():
            dest.rename(old)
        try:
            made.rename(dest)
        except OSError:
            if old.exists():
                old.rename(dest)
            raise
        shutil.rmtree(old, ignore_errors=True)


def refuse_foreign(dest: Path, importer: str) -> None:
    """Raise unless *dest* is absent, empty, or holds exactly the files of an import by *importer*.

    Raises:
        DataFolderError: *dest* is a file, or holds anything else.
    """
    if dest.exists() and not dest.is_dir():
        raise DataFolderError(f"{dest}: is a file; give a folder that is empty or does not exist")
    there = (
        {str(path.relative_to(dest)) for path in dest.rglob("*") if path.is_file()}
        if dest.exists()
        else set()
    )
    if not there:
        return
    try:
        report = ImportReport.model_validate_json((dest / REPORT_NAME).read_bytes())
    except (OSError, ValidationError) as error:
        raise DataFolderError(
            f"{dest}: is not empty and was not written by an import; give a new folder"
        ) from error
    if report.importer != importer:
        raise DataFolderError(
            f"{dest}: holds an import of {report.importer!r}, not of {importer!r}; give a new folder"
        )
    foreign = sorted(there - set(report.files))
    if foreign:
        shown = ", ".join(foreign[:3]) + (" and others" if len(foreign) > 3 else "")  # noqa: PLR2004 - as shown
        raise DataFolderError(
            f"{dest}: holds files that no import wrote ({shown}); move them away or give a new folder"
        )


def save_report(report: ImportReport, folder: Path) -> ImportReport:
    """Write *report* into *folder* and return it with the folder's files filled in."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} | {REPORT_NAME}
    complete = report.model_copy(update={"files": tuple(sorted(files))})
    (folder / REPORT_NAME).write_text(complete.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return complete
