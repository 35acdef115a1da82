"""What scripts that write one section of the performance page have in common: arguments, day, file."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS: Final = Path(__file__).resolve().parent / "results"


def arguments(description: str | None, section: str) -> argparse.ArgumentParser:
    """Return a parser that knows `--out`, the file of the section, *section* in `benchmarks/results` by default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=RESULTS / section)
    return parser


def today() -> str:
    """Return the day of the run in UTC, as sections give it."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def say(lines: Sequence[str]) -> None:
    """Print *lines* at once, so that a long run can be followed."""
    print("\n".join(lines), flush=True)  # noqa: T201 - a script


def write(out: Path, text: str) -> None:
    """Write the section to *out*, whose folder is made if need be, and print it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    say([text])
