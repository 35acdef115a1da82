"""The importers by name, and the one way to run them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.errors import ImportSourceError
from feature_repo.importers.churnsim import import_churnsim
from feature_repo.importers.folder import replaced_folder, save_report
from feature_repo.importers.ravenstack import import_ravenstack
from feature_repo.tables.check import check
from feature_repo.tables.reading import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from feature_repo.importers.report import ImportReport


@dataclass(frozen=True, slots=True)
class Importer:
    """One known data set.

    Attributes:
        name: What people call it on the command line.
        summary: What it is, in one line.
        run: Writes the raw tables of a source folder into an empty folder and reports.
    """

    name: str
    summary: str
    run: Callable[[duckdb.DuckDBPyConnection, Path, Path], ImportReport]


IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        Importer("churnsim", "ChurnSim crm5: two years of a simulated B2B CRM product", import_churnsim),
        Importer(
            "ravenstack", "RavenStack: a synthetic SaaS company whose labels contradict it", import_ravenstack
        ),
    )
}


def run_import(name: str, source: Path, dest: Path) -> ImportReport:
    """Turn the data set *name* in folder *source* into raw tables in folder *dest*.

    *dest* appears complete, and only if its tables pass the check; an earlier one of this name is replaced.

    Raises:
        ImportSourceError: There is no such importer, or *source* is not what it expects.
        DataFolderError: *dest* holds something that this importer did not write.
    """
    importer = IMPORTERS.get(name)
    if importer is None:
        raise ImportSourceError(f"there is no importer {name!r}; known are {', '.join(IMPORTERS)}")
    if not source.is_dir():
        raise ImportSourceError(f"{source}: no such folder; give the folder that holds the files of {name!r}")
    if dest.resolve().is_relative_to(source.resolve()) or source.resolve().is_relative_to(dest.resolve()):
        raise ImportSourceError(f"{dest}: lies within the source or holds it; give a folder of its own")
    with replaced_folder(dest, name) as folder:
        report = save_report(importer.run(connect().con, source, folder), folder)
        errors = check(folder).errors
        if errors:
            raise ImportSourceError(
                f"{source}: its tables break the raw-table contract: "
                + "; ".join(f"{breach.table}.{breach.column}: {breach.sentence}" for breach in errors[:3])
            )
    return report
