"""Writes the benchmarks' results between two marks of docs/performance-models.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.plan import RESULTS
from benchmarks.result import read, verdicts
from benchmarks.shared_data import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE: Final = ROOT / "docs" / "performance-models.md"
BEGIN: Final = "<!-- measured: begin; `python -m benchmarks.page` writes what stands between the marks -->"
END: Final = "<!-- measured: end -->"
ORDER: Final = ("churnsim", "telco", "coil2000", "hillstrom", "sentiment")
ELSEWHERE: Final = ("README", "ablation", "synthetic")
"""How results begin that other pages show."""
DEEPEST: Final = 6
_WORDS: Final = {
    "ahead": "Ours is ahead, with an interval above zero, of",
    "behind": "Ours is behind, with an interval below zero, of",
    "level": "The interval holds zero for",
}


class PageError(Exception):
    """The page can't be written."""


def section(path: Path) -> str:
    """Return the section of one result: the Markdown at *path*, headed at level two, and what follows from its gains.

    Args:
        path: A `NAME.md`; a `NAME.json` beside it is read where there is one.
    """
    text = path.read_text(encoding="utf-8").strip()
    levels = [len(found) for found in re.findall(r"^(#+) ", text, flags=re.MULTILINE)]
    shift = 2 - min(levels, default=2)
    if shift:
        text = re.sub(
            r"^(#+) ",
            lambda found: "#" * min(DEEPEST, len(found[1]) + shift) + " ",
            text,
            flags=re.MULTILINE,
        )
    record = path.with_suffix(".json")
    if not record.exists():
        return text
    sentences = [
        f"{_WORDS[state]} {'; '.join(models)}."
        for state, models in verdicts(read(record).lines).items()
        if models
    ]
    return "\n\n".join([text, *([" ".join(sentences)] if sentences else [])])


def measured(folder: Path) -> str:
    """Return what stands between the marks: a section a result in *folder*.

    Raises:
        PageError: There is no result.
    """
    found = {path.stem: path for path in folder.glob("*.md") if not path.stem.startswith(ELSEWHERE)}
    if not found:
        raise PageError(f"{folder} holds no result; run `make bench-models`")
    names = [name for name in ORDER if name in found] + sorted(set(found) - set(ORDER))
    return "\n\n".join(section(found[name]) for name in names)


def assembled(page: str, inside: str) -> str:
    """Return *page* with *inside* between its marks.

    Raises:
        PageError: A mark is missing.
    """
    if BEGIN not in page or END not in page or page.index(BEGIN) > page.index(END):
        raise PageError(f"{PAGE.name} lacks the marks {BEGIN!r} and {END!r}, in this order")
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{inside}\n\n{END}{rest.partition(END)[2]}"


def write_page(folder: Path, page: Path = PAGE) -> None:
    """Write the results in *folder* into *page*.

    Raises:
        PageError: There is no result, or the page lacks its marks.
    """
    page.write_text(assembled(page.read_text(encoding="utf-8"), measured(folder)), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page from `benchmarks/results`, or from the folder that is named."""
    given = sys.argv[1:] if arguments is None else arguments
    write_page(Path(given[0]) if given else RESULTS)


if __name__ == "__main__":
    main()
