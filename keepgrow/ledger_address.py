"""Which ledger a command means: the one that is named, or the one that is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from serving.errors import LedgerError
from serving.ledger.database import Database

PATIENT_SECONDS = 3600.0
"""How long a command's one statement may take; verifying and exporting read everything."""

LedgerUrl = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        envvar="LEDGER_URL",
        help="sqlite:///FILE or postgresql://HOST/NAME; without it the one below KEEPGROW_HOME.",
        show_default=False,
    ),
]


def ledger_url(given: str | None) -> str:
    """Return the address of the ledger that *given* names; without it that of the only one below `KEEPGROW_HOME`.

    Raises:
        LedgerError: There is none, or there are several.
    """
    if given:
        return given
    home = Path(os.environ.get("KEEPGROW_HOME") or ".keepgrow")
    found = sorted([*home.glob("ledger.db"), *home.glob("*/ledger.db")])
    if not found:
        raise LedgerError(f"there is no ledger below {home}: name one with --ledger sqlite:///FILE")
    if len(found) > 1:
        raise LedgerError(
            f"there are {len(found)} ledgers below {home}: name one, as in --ledger sqlite:///{found[0]} "
            f"(the others are {', '.join(str(path) for path in found[1:])})"
        )
    return f"sqlite:///{found[0].resolve()}"


def open_ledger(given: str | None) -> Database:
    """Return the database of the ledger that is meant.

    Raises:
        LedgerError: There is none, there are several, or its tables are not there.
    """
    url = ledger_url(given)
    database = Database(url, wait_seconds=PATIENT_SECONDS)
    database.require_file()
    return database
