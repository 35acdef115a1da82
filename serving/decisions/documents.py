"""Reads the YAML files that people write for decisions, and words what is wrong with them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@contextmanager
def naming_faults(source: str, kind: str, error: type[ServingError]) -> Iterator[None]:
    """Word what is wrong with a document that is parsed and validated inside, every fault with its place.

    Args:
        source: Names the document in the error.
        kind: What it should be, in a word; it stands for the place of what is wrong with the whole.
        error: What to raise.

    Raises:
        ServingError: An *error*: the document is not YAML, or is not of its form.
    """
    try:
        yield
    except yaml.YAMLError as cause:
        raise error(f"{source}: not YAML: {cause}") from cause
    except ValidationError as cause:
        raise error(f"{source}: {_faults_of(cause, kind)}") from cause


def _faults_of(error: ValidationError, kind: str) -> str:
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or kind}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False)
    )
