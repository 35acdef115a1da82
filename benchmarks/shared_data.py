"""Where the data sets lie that benchmarks read; they are not part of this repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SETTING: Final = "KEEPGROW_SHARED_DATA"


class MissingDataError(Exception):
    """A data set that a benchmark reads is not there."""


def folder() -> Path:
    """Return the folder of the shared data sets, whether or not it is there."""
    return Path(os.environ.get(SETTING) or ROOT.parent / "shared" / "data")


def shared(*parts: str) -> Path:
    """Return the file or folder *parts* below the folder of shared data sets.

    Raises:
        MissingDataError: It is not there; the message says which setting names the folder.
    """
    path = folder().joinpath(*parts)
    if not path.exists():
        raise MissingDataError(f"{path} is not there; {SETTING} names the folder of the shared data sets")
    return path
