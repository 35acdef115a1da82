"""What a benchmark found: figures with intervals, as JSON for machines and as a Markdown table for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.evaluation.bootstrap import Estimate

Kind = Literal["ours", "ablation", "yardstick", "baseline", "published"]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Value):
    """A figure with its 95 % interval; no interval where it is published or certain, no value where undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, estimate: Estimate) -> Figure:
        """Return *estimate* with six digits."""
        return cls.model_validate(estimate.as_dict())

    def text(self, digits: int, *, sign: bool = False) -> str:
        """Return the figure for a table cell."""
        if self.value is None:
            return "-"
        form = f"{'+' if sign else ''}.{digits}f"
        if self.low is None or self.high is None:
            return format(self.value, form)
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"


class Line(_Value):
    """One model under one heading of the table.

    Attributes:
        group: Which rows or which task, such as `churn 30 d`; empty where there is only one.
        model: Name as the table shows it.
        kind: What it is to us.
        figures: By metric, in the table's order.
        gain: Ours minus this model in the leading metric, on the same resamples.
        spread: Smallest and largest leading metric over seeds.
        note: What else must be known.
    """

    group: str = ""
    model: str
    kind: Kind
    figures: dict[str, Figure]
    gain: Figure | None = None
    spread: tuple[float, float] | None = None
    note: str = ""


class Result(_Value):
    """The outcome of one benchmark.

    Attributes:
        name: File name of the result.
        title: Heading.
        data: What the data is, with its size.
        split: How it was split, seeds included.
        interval: What was resampled.
        metrics: Heading and digits of each metric, the leading one first.
        lines: The table.
        plan: `full`, or `quick` with fewer seeds and trials.
        made_on: Day of the run.
        seconds: How long it took.
        versions: Of the packages that were compared.
        missing: What was left out, and why.
    """

    name: str
    title: str
    data: str
    split: str
    interval: str
    metrics: dict[str, tuple[str, int]]
    lines: tuple[Line, ...]
    plan: Literal["full", "quick"]
    made_on: str
    seconds: int
    versions: dict[str, str]
    missing: tuple[str, ...] = ()


def markdown(result: Result) -> str:
    """Return *result* as a Markdown section with one table."""
    grouped = any(line.group for line in result.lines)
    spread = any(line.spread and line.spread[0] < line.spread[1] for line in result.lines)
    gained = any(line.gain for line in result.lines)
    leading, digits = next(iter(result.metrics.values()))
    heads = [
        *(["task"] if grouped else []),
        "model",
        *(title for title, _ in result.metrics.values()),
        *([f"ours minus it ({leading})"] if gained else []),
        *(["over seeds"] if spread else []),
        "",
    ]
    body = []
    last = None
    for line in result.lines:
        figures = [
            line.figures[key].text(places) if key in line.figures else ""
            for key, (_, places) in result.metrics.items()
        ]
        cells = [
            *([line.group if line.group != last else ""] if grouped else []),
            f"**{line.model}**" if line.kind == "ours" else line.model,
            *(f"**{cell}**" if line.kind == "ours" and cell else cell for cell in figures),
            *([line.gain.text(digits, sign=True) if line.gain else ""] if gained else []),
            *(
                [f"{line.spread[0]:.{digits}f} to {line.spread[1]:.{digits}f}" if line.spread else ""]
                if spread
                else []
            ),
            line.note,
        ]
        body.append(cells)
        last = line.group
    table = "\n".join(
        f"| {' | '.join(cells)} |".replace("  ", " ") for cells in (heads, ["---"] * len(heads), *body)
    )
    libraries = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    parts = [
        f"# {result.title}",
        f"{result.data} {result.split} {result.interval}",
        table,
        *(f"Left out: {sentence}." for sentence in result.missing),
        f"Run on {result.made_on}, {result.plan} plan, {result.seconds} s; {libraries}.",
    ]
    return "\n\n".join(parts) + "\n"


def write(result: Result, folder: Path) -> None:
    """Write `NAME.json` and `NAME.md` of *result* into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{result.name}.json").write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / f"{result.name}.md").write_text(markdown(result), encoding="utf-8")


def read(path: Path) -> Result:
    """Read a `NAME.json` that `write` wrote.

    Raises:
        ValueError: The file is not of this form.
    """
    return Result.model_validate(json.loads(path.read_text(encoding="utf-8")))


def verdicts(lines: tuple[Line, ...]) -> Mapping[str, list[str]]:
    """Return the models, `group: model`, that ours beats, loses to, or can't be told from, by the gain's interval."""
    found: dict[str, list[str]] = {"ahead": [], "behind": [], "level": []}
    for line in lines:
        if line.gain is None or line.gain.low is None or line.gain.high is None:
            continue
        state = "ahead" if line.gain.low > 0 else "behind" if line.gain.high < 0 else "level"
        found[state].append(f"{line.group}: {line.model}" if line.group else line.model)
    return found
