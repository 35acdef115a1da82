"""Which accounts load tests ask about: those that `keepgrow up` wrote down, or a file of the user's own."""

from __future__ import annotations

import os
from pathlib import Path


def account_ids_file() -> Path:
    """Return the file of account ids: `KEEPGROW_ACCOUNT_IDS`, else the newest one below `.keepgrow/`.

    Raises:
        SystemExit: There is none.
    """
    if named := os.environ.get("KEEPGROW_ACCOUNT_IDS"):
        return Path(named)
    home = Path(os.environ.get("KEEPGROW_HOME", ".keepgrow"))
    found = sorted(home.glob("*/account-ids.txt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit(
            f"No account ids below {home}: run `make serve` first, or set KEEPGROW_ACCOUNT_IDS to a file."
        )
    return found[-1]


def account_ids() -> list[str]:
    """Return the ids, one a line of the file.

    Raises:
        SystemExit: There is no file, or no id in it.
    """
    file = account_ids_file()
    found = [line for line in file.read_text(encoding="utf-8").splitlines() if line]
    if not found:
        raise SystemExit(f"{file} holds no account id.")
    return found
