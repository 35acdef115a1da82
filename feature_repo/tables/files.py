"""Where a raw table's files are in a data folder, and the SQL that reads them as they stand.

Nothing is cast here: `reading` casts to the contract's kinds, `check` looks at values as they are written.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from feature_repo.errors import DataFolderError

if TYPE_CHECKING:
    from pathlib import Path


def table_files(folder: Path, name: str) -> tuple[Path, ...]:
    """Return the files of the raw table *name* in *folder*, sorted; empty if the table is absent.

    A table is one of `NAME.parquet`, a folder `NAME/` of Parquet files, or `NAME.csv`.

    Raises:
        DataFolderError: *folder* can't be read, or holds the table in more than one form.
    """
    try:
        if not folder.is_dir():
            raise DataFolderError(f"{folder}: no such folder; give the folder that holds the raw tables")
        parts = tuple(
            sorted(
                path
                for path in (folder / name).glob("*.parquet")
                if path.is_file() and not path.name.startswith((".", "_"))
            )
        )
        single = tuple(
            path for path in (folder / f"{name}.parquet", folder / f"{name}.csv") if path.is_file()
        )
    except OSError as error:
        raise DataFolderError(
            f"{folder}: can't be read: {error.strerror}; grant read access to it"
        ) from error
    forms = [*single, *([folder / name] if parts else [])]
    if len(forms) > 1:
        there = ", ".join(form.name + ("/" if form.is_dir() else "") for form in forms)
        raise DataFolderError(f"{folder}: table {name!r} is there more than once ({there}); keep one of them")
    return single or parts


def quoted(identifier: str) -> str:
    """Return *identifier* as a quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return *text* as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def source_sql(files: tuple[Path, ...]) -> str:
    """Return the table function that reads *files* (one table's, see `table_files`) without any cast.

    CSV is comma-separated UTF-8 with one header line, with or without a byte-order mark; its columns all come
    as text, an empty field as null.

    Raises:
        DataFolderError: A CSV file has no readable header line.
    """
    if files[0].suffix == ".csv":
        header = csv_header(files[0])
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
        return (
            f"read_csv({_path_literal(files[0])}, columns = {{{columns}}}, auto_detect = false, "
            "header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', encoding = 'utf-8')"
        )
    paths = ", ".join(_path_literal(path) for path in files)
    return f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"


def csv_header(path: Path) -> tuple[str, ...]:
    """Return the column names of the CSV file *path*.

    Raises:
        DataFolderError: The file is empty, is not UTF-8, or has a column name twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = tuple(next(csv.reader(file), ()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFolderError(
            f"{path.name}: not UTF-8 text ({error}); save it as comma-separated UTF-8"
        ) from error
    except OSError as error:
        raise DataFolderError(
            f"{path.name}: can't be read: {error.strerror}; grant read access to it"
        ) from error
    if not any(names):
        raise DataFolderError(f"{path.name}: has no header line; the first line must name the columns")
    folded = [name.casefold() for name in names]
    twice = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if twice:
        raise DataFolderError(f"{path.name}: column {', '.join(twice)} is there twice; name each column once")
    return names


def _path_literal(path: Path) -> str:
    """Return *path* as a literal for DuckDB's readers, which would expand wildcards in it."""
    return literal("".join(f"[{char}]" if char in "*?[" else char for char in str(path.resolve())))
