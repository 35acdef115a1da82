"""The rules about files: what is missing, unreadable or no table, and the two YAML files beside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import yaml

from feature_repo.errors import DataFolderError
from feature_repo.tables.breach import Breach, Rule, Severity
from feature_repo.tables.check_columns import open_table
from feature_repo.tables.check_csv import malformed_rows
from feature_repo.tables.dataset import FILE_NAME, DatasetInfo, load_dataset_info
from feature_repo.tables.files import source_sql, table_files
from feature_repo.tables.reading import raw_types
from feature_repo.tables.registry import TABLES, USAGE_TABLES

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    from ibis.backends.duckdb import Backend

    from feature_repo.tables.check_probes import OpenTable
    from feature_repo.tables.contract import Table

CATALOGUE_NAME = "catalogue.yaml"
LONGEST_REASON = 150
_WITHOUT = "features that come from it are null; the churn and upsell models go without them."
LOSSES = {
    **{
        view: f"The {view} {_WITHOUT}"
        for view in ("usage", "adoption", "sentiment", "commercial", "engagement")
    },
    "profile": f"The profile {_WITHOUT}",
    "policy": "Policy can't hold an action back because of it.",
    "uplift": "No uplift can be learned; actions keep their declared effects.",
}
"""What is lost with a table that may be absent, by what it feeds."""


def folder_breach(folder: Path) -> Breach | None:
    """Return why *folder* can't be looked at, or None if it can."""
    if not folder.exists():
        return _about(
            folder.name or str(folder), Rule.FOLDER, f"{folder} does not exist; give a data folder."
        )
    if not folder.is_dir():
        return _about(folder.name, Rule.FOLDER, f"{folder} is a file; give the folder that holds the tables.")
    try:
        if any(True for _ in os.scandir(folder)):
            return None
    except OSError as error:
        return _about(
            folder.name, Rule.FOLDER, f"{folder} can't be read ({error.strerror}); grant access to it."
        )
    return _about(
        folder.name, Rule.EMPTY_FOLDER, f"{folder} is empty; bring accounts, subscriptions and usage."
    )


def read_dataset_info(folder: Path) -> tuple[DatasetInfo, list[Breach]]:
    """Return the facts of `dataset.yaml`, or the defaults and a breach if it is not valid."""
    try:
        return load_dataset_info(folder), []
    except (DataFolderError, OSError) as error:
        sentence = f"{_unplaced(error, folder)}. Its keys are {', '.join(DatasetInfo.model_fields)}."
        return DatasetInfo(), [_about(FILE_NAME, Rule.DATASET, sentence)]


def read_plan_keys(folder: Path) -> tuple[tuple[str, ...], list[Breach]]:
    """Return the plan keys of `catalogue.yaml`, empty if it is absent, or a breach if it can't be read."""
    path = folder / CATALOGUE_NAME
    if not path.exists():
        return (), []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        return tuple(str(plan["key"]) for plan in content["plans"]), []
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        sentence = f"It can't be read ({type(error).__name__}: {error}); it needs plans, each with a key."
        return (), [_about(CATALOGUE_NAME, Rule.CATALOGUE, sentence)]


def open_files(con: Backend, folder: Path, contract: Table) -> tuple[OpenTable | None, list[Breach]]:
    """Return *contract*'s table in *folder*, or None with the reason if it is absent or can't be opened.

    Nobody misses an opt-in table: that it is absent is no breach.
    """
    name = contract.name
    try:
        files = table_files(folder, name)
        if files:
            source = source_sql(files)
            return open_table(contract, files, source, raw_types(con, source, f"table {name!r}")), []
    except DataFolderError as error:
        return None, [unreadable(name, _unplaced(error, folder))]
    if (folder / name).is_dir():
        return None, [unreadable(name, f"The folder {name}/ holds no Parquet file")]
    if contract.opt_in:
        return None, []
    lost = ", ".join(contract.feeds)
    if contract.required:
        sentence = (
            f"Bring {name}.parquet, {name}/*.parquet or {name}.csv: {contract.row} a row. It feeds {lost}."
        )
        return None, [_about(name, Rule.MISSING_TABLE, sentence)]
    sentence = " ".join(LOSSES[feed] for feed in contract.feeds)
    return None, [_about(name, Rule.ABSENT_TABLE, sentence, Severity.WARNING)]


def no_usage() -> Breach:
    """Return the breach of a folder with no usage table."""
    either = " or ".join(USAGE_TABLES)
    return _about(USAGE_TABLES[0], Rule.MISSING_TABLE, f"There is no usage: bring {either}.")


def unreadable(table: str, why: str) -> Breach:
    """Return the breach of a *table* whose files can't be read, for the reason *why*."""
    sentence = f"{why.rstrip('.')}. The file must be a complete Parquet file, or comma-separated UTF-8 text."
    return _about(table, Rule.UNREADABLE, sentence)


def refused(table: OpenTable, error: duckdb.Error) -> Breach:
    """Return the breach of a *table* whose rows DuckDB could not read to the end."""
    if table.files[0].suffix == ".csv":
        return malformed_rows(table.contract.name, table.files[0], _reason(error))
    return unreadable(table.contract.name, _reason(error))


def _reason(error: duckdb.Error) -> str:
    """Return DuckDB's reason in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = []
    for line in lines:
        if line.startswith(("Possible", "LINE", "file =", "* ")):
            break
        kept.append(line)
    return "; ".join(line[:LONGEST_REASON] for line in kept[:4])


def unknown_files(folder: Path) -> list[Breach]:
    """Return one warning if *folder* holds data files that are no table of the contract."""
    known = {contract.name for contract in TABLES}
    strange = sorted(
        path.name
        for path in folder.iterdir()
        if (path.suffix.lower() in {".csv", ".parquet", ".xlsx", ".json", ".tsv", ".gz"} or path.suffix == "")
        and not path.name.startswith(".")
        and not (path.stem in known and (path.suffix in {".csv", ".parquet"} or path.is_dir()))
        and path.name not in {"import_report.json", "truth"}
    )
    if not strange:
        return []
    sentence = (
        f"No table of the contract has this name, so it is ignored; tables are {', '.join(sorted(known))}."
    )
    listed = tuple(strange[:3])
    return [Breach(folder.name, None, Rule.UNKNOWN_FILE, 0, listed, Severity.WARNING, sentence)]


def _about(table: str, rule: Rule, sentence: str, severity: Severity = Severity.ERROR) -> Breach:
    return Breach(table, None, rule, 0, (), severity, sentence)


def _unplaced(error: Exception, folder: Path) -> str:
    """Return *error*'s sentence without the folder, which the report names once."""
    return str(error).removeprefix(f"{folder}{os.sep}").removeprefix(f"{folder}: ").replace("\n", " ")
