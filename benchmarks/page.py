"""Writes the benchmarks' results between the marks of docs/performance-models.md.

What was measured on data of others stands between marks of its own. So do results that have something made up in them,
each by itself: a synthetic world in the ablation, planted effects in simulated trials.
"""

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
MADE_UP_RESULTS: Final = {"synthetic-hillstrom": "hillstrom_simulated", "ablation": "ablation"}
"""The benchmark behind each result that has something made up in it; in the order of the page."""
ORDER: Final = (
    "churnsim",
    "telco",
    "coil2000",
    "hillstrom",
    "hillstrom-fresh",
    "hillstrom-untouched",
    "sentiment",
)
ELSEWHERE: Final = ("README", "ablation", "synthetic")
"""How results begin that are not among what was measured on data of others."""
DEEPEST: Final = 6


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
    return "\n\n".join([text, " ".join(verdicts(read(record)))]).strip()


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


def marks(name: str) -> tuple[str, str]:
    """Return the marks around the made-up result *name*."""
    begin = f"<!-- {name}: begin; `python -m benchmarks.page` writes what stands between the marks -->"
    return begin, f"<!-- {name}: end -->"


def made_up(folder: Path, name: str) -> str:
    """Return what stands between the marks of the result *name*, or a sentence that says how it is made."""
    path = folder / f"{name}.md"
    if not path.exists():
        return f"Not measured yet: `python -m benchmarks.run --only {MADE_UP_RESULTS[name]}`."
    return section(path)


def assembled(page: str, inside: str, begin: str = BEGIN, end: str = END) -> str:
    """Return *page* with *inside* between its marks *begin* and *end*.

    Raises:
        PageError: A mark is missing.
    """
    if begin not in page or end not in page or page.index(begin) > page.index(end):
        raise PageError(f"{PAGE.name} lacks the marks {begin!r} and {end!r}, in this order")
    head, _, rest = page.partition(begin)
    return f"{head}{begin}\n\n{inside}\n\n{end}{rest.partition(end)[2]}"


def write_page(folder: Path, page: Path = PAGE) -> None:
    """Write the results in *folder* into *page*.

    Raises:
        PageError: There is no result, or the page lacks its marks.
    """
    text = assembled(page.read_text(encoding="utf-8"), measured(folder))
    for name in MADE_UP_RESULTS:
        text = assembled(text, made_up(folder, name), *marks(name))
    page.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page from `benchmarks/results`, or from the folder that is named."""
    given = sys.argv[1:] if arguments is None else arguments
    write_page(Path(given[0]) if given else RESULTS)


if __name__ == "__main__":
    main()
