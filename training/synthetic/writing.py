"""The world on disk: Parquet files in a temporary folder that becomes the destination all at once."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.errors import DataFolderError
from feature_repo.tables.contract import Kind
from feature_repo.tables.dataset import FILE_NAME as DATASET_FILE
from feature_repo.tables.dataset import load_dataset_info
from feature_repo.tables.registry import TABLES, table
from training.synthetic.settings import SyntheticWorldError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

CATALOGUE_FILE = "catalogue.yaml"
TRUTH_FOLDER = "truth"
_OWN_ENTRIES = frozenset({DATASET_FILE, CATALOGUE_FILE, TRUTH_FOLDER, *(entry.name for entry in TABLES)})
_ARROW = {
    Kind.STRING: pa.string(),
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOL: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.timestamp("us", "UTC"),
}
_ENCODED = pa.dictionary(pa.int32(), pa.string())


def contract_schema(name: str) -> pa.Schema:
    """Return the Arrow schema of the raw table *name*, column for column as the contract has it."""
    return pa.schema([(column.name, _ARROW[column.kind]) for column in table(name).columns])


class PartWriter:
    """Writes tables as folders of part files, one row group a piece, so that memory holds one piece."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}
        self.rows: dict[str, int] = {}

    def add(self, name: str, part: int, piece: pa.Table, schema: pa.Schema | None = None) -> None:
        """Append *piece* to part file *part* of table *name*.

        Strings may come as dictionaries; readers get plain strings. The schema is the contract's unless one
        is given.
        """
        target = schema or contract_schema(name)
        if piece.schema.names != target.names:
            raise SyntheticWorldError(
                f"{name}: columns are {piece.schema.names}: they should be {target.names}"
            )
        fields = [
            pa.field(wanted.name, _ENCODED) if pa.types.is_dictionary(have.type) else wanted
            for have, wanted in zip(piece.schema, target, strict=True)
        ]
        shaped = piece.cast(pa.schema(fields))
        writer = self._writers.get(name)
        if writer is None:
            path = self._folder / name / f"part-{part:05d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(
                path, shaped.schema, compression="zstd", compression_level=1, store_schema=False
            )
            self._writers[name] = writer
        writer.write_table(shaped, row_group_size=max(shaped.num_rows, 1))
        self.rows[name] = self.rows.get(name, 0) + shaped.num_rows

    def end_part(self) -> None:
        """Close the part files; the next piece of each table begins another."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_part()


def refuse_other_content(dest: Path, *, force: bool) -> None:
    """Refuse a *dest* that holds something which is not a synthetic world.

    Raises:
        SyntheticWorldError: *dest* is not a folder, or one that people work in (the current one, or one above
            it or above the home folder), or it holds something else and *force* is not set.
    """
    if dest.is_symlink() or (dest.exists() and not dest.is_dir()):
        raise SyntheticWorldError(
            f"{dest} is a file or a link: give a folder that does not exist yet, or an empty one"
        )
    precious = (Path.cwd().resolve(), Path.home().resolve())
    if any(place == dest.resolve() or dest.resolve() in place.parents for place in precious):
        raise SyntheticWorldError(
            f"{dest} is or holds the current or the home folder and is not replaced: give another folder"
        )
    if dest.exists() and any(dest.iterdir()) and not force and not is_synthetic_world(dest):
        raise SyntheticWorldError(
            f"{dest} is not empty and not a synthetic world: "
            "give another folder, or --force to replace what is there"
        )


def is_synthetic_world(folder: Path) -> bool:
    """Return whether *folder* holds a synthetic world and nothing else."""
    if {entry.name for entry in folder.iterdir()} - _OWN_ENTRIES:
        return False
    try:
        return (folder / DATASET_FILE).exists() and load_dataset_info(folder).synthetic
    except DataFolderError:
        return False


@contextmanager
def replaced_when_complete(dest: Path) -> Iterator[Path]:
    """Give an empty folder beside *dest* that takes its place if the block ends well, else vanishes.

    Raises:
        SyntheticWorldError: Something can't be written.
    """
    work: Path | None = None
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{dest.name}-", suffix=".partial", dir=dest.parent))
        made, old = work / "new", work / "old"
        made.mkdir()
        yield made
        _swap(made, dest, old)
    except OSError as error:
        raise SyntheticWorldError(
            f"{dest}: can't be written: {error.strerror or error}; give a folder that has room"
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def _swap(made: Path, dest: Path, old: Path) -> None:
    """Put *made* at *dest*, whose former content goes to *old*; put that back if it can't be done."""
    try:
        if dest.exists():
            dest.rename(old)
        made.rename(dest)
    except BaseException:
        if old.exists() and not dest.exists():
            old.rename(dest)
        raise
