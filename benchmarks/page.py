"""Writes the benchmarks' results between the marks of docs/performance-models.md.

What was measured on data of others, and what each view of features is worth, stand between marks of their own: the
second has a synthetic world in it, the first never.
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
ABLATION_BEGIN: Final = (
    "<!-- ablation: begin; `python -m benchmarks.page` writes what stands between the marks -->"
)
ABLATION_END: Final = "<!-- ablation: end -->"
ORDER: Final = ("churnsim", "telco", "coil2000", "hillstrom", "hillstrom-fresh", "sentiment")
ELSEWHERE: Final = ("README", "ablation", "synthetic")
"""How results begin that are not among what was measured on data of others."""
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


def ablation(folder: Path) -> str:
    """Return what stands between the marks of the ablation, or a sentence that says how it is made."""
    path = folder / "ablation.md"
    if not path.exists():
        return "Not measured yet: `python -m benchmarks.run --only ablation`."
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
    page.write_text(assembled(text, ablation(folder), ABLATION_BEGIN, ABLATION_END), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page from `benchmarks/results`, or from the folder that is named."""
    given = sys.argv[1:] if arguments is None else arguments
    write_page(Path(given[0]) if given else RESULTS)


if __name__ == "__main__":
    main()
