"""`keepgrow push`: bring fresh rows of a pushed view to the online store, from a file of JSON lines."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from feature_repo.errors import ContractError
from keepgrow.apply import FeaturesOption, RegistryOption
from keepgrow.online_store import settings_with_online_store


def push(
    source: Annotated[
        str, typer.Argument(help="Push source: usage_push, profile_push, or that of an opt-in view.")
    ],
    rows: Annotated[
        Path, typer.Argument(help="File of JSON lines, one whole row each; - reads standard input.")
    ],
    features: FeaturesOption = None,
    registry: RegistryOption = None,
) -> None:
    """Push fresh feature rows to the online store; either all rows are right, or none is written."""
    parsed = read_rows(rows)
    from feature_repo import store as feast_store

    with settings_with_online_store(features, registry) as settings:
        store = feast_store.open_store(settings)
        count = feast_store.push(store, source, parsed, dt.datetime.now(dt.UTC))
    Console(highlight=False).print(f"{count} rows pushed to {source}")


def read_rows(path: Path) -> list[dict[str, object]]:
    """Return the JSON objects in the lines of a file, or of standard input if *path* is `-`.

    Raises:
        ContractError: The file can't be read, or a line is no JSON object.
    """
    try:
        text = sys.stdin.buffer.read() if path == Path("-") else path.read_bytes()
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror}") from error
    rows = []
    for number, line in enumerate(text.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ContractError(f"{path}, line {number}: {error}") from None
        if not isinstance(row, dict):
            raise ContractError(f"{path}, line {number}: should be a JSON object")
        rows.append(row)
    return rows
