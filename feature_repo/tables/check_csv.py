"""Why a CSV file can't be read, row by row: run only when DuckDB refused the file."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from feature_repo.tables.breach import Breach, Rule, Severity
from feature_repo.tables.check_probes import EXAMPLES, printable

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1 << 20


def malformed_rows(table: str, path: Path, reason: str) -> Breach:
    """Return the breach of a CSV file that DuckDB can't read.

    Args:
        table: Raw table.
        path: Its CSV file.
        reason: What DuckDB says; it stands in the sentence where this module finds nothing more exact.
    """
    rows = 0
    examples: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            width = len(next(reader, ()))
            for row in reader:
                if row and len(row) != width:
                    rows += 1
                    if len(examples) < EXAMPLES:
                        examples.append(
                            f"line {reader.line_num}: {len(row)} fields, {printable(','.join(row))}"
                        )
    except csv.Error as error:
        if "field larger" not in str(error):  # this module's own limit; DuckDB's reason names the real one
            rows += 1
            examples.append(f"line {reader.line_num}: {error}")
    except UnicodeDecodeError as error:
        sentence = f"The file is not UTF-8 text ({error.reason}); save it as comma-separated UTF-8."
        return Breach(table, None, Rule.UNREADABLE, 0, (), Severity.ERROR, sentence)
    if rows:
        sentence = (
            f"Every row needs {width} fields, as the header has; text with a comma or a quote needs quotes."
        )
    elif _mixes_line_ends(path):
        sentence = (
            "The file's line ends are mixed (with and without a carriage return); save it with one kind."
        )
    else:
        sentence = f"{reason.rstrip('.')}. The file must be comma-separated UTF-8 text."
    return Breach(
        table, None, Rule.MALFORMED_ROWS, rows, tuple(examples[:EXAMPLES]), Severity.ERROR, sentence
    )


def _mixes_line_ends(path: Path) -> bool:
    """Return whether *path* has line feeds both with and without a carriage return before them."""
    feeds = pairs = 0
    last = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            feeds += chunk.count(b"\n")
            pairs += (last + chunk).count(b"\r\n")
            last = chunk[-1:]
    return 0 < pairs < feeds
