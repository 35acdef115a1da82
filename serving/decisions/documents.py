"""Reads the YAML files that people write for decisions, and words what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError

    from serving.errors import ServingError


def read_document(path: Path, kind: str, error: type[ServingError]) -> str:
    """Return the text of the file at *path*; a byte-order mark is left out.

    Args:
        path: The file.
        kind: What it should be, in a word.
        error: What to raise.

    Raises:
        ServingError: An *error*: there is no such file, or it can't be read as UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as cause:
        raise error(f"{path}: there is no such {kind}") from cause
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"{path}: can't be read as UTF-8 text: {cause}") from cause


def faults_of(error: ValidationError, kind: str) -> str:
    """Return the faults that validation found, each with its place; *kind* stands for the whole document."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or kind}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False)
    )
