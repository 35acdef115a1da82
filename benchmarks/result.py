"""What a benchmark found: figures with intervals, as JSON for machines and as a Markdown table for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pathlib import Path

    from training.evaluation.bootstrap import Estimate

_WORDS: Final = {
    "ahead": "ours is ahead, with an interval above zero, of",
    "behind": "ours is behind, with an interval below zero, of",
    "level": "the interval holds zero for",
}
TARGET_FIGURES: Final = {
    "flagged_ratio": ("flagged", 3),
    "precision": ("precision", 3),
    "recall": ("recall", 3),
    "f1": ("F1", 3),
    "revenue_protection_accuracy": ("MRR classified correctly", 3),
    "value_per_account": ("value a row", 2),
}
"""Heading and digits."""
TARGETS: Final = (
    "Wanted are precision 0.85, recall 0.80, F1 0.82 and, as revenue-protection accuracy, 0.90 of the MRR classified "
    "correctly. A target is met or missed only if its whole interval says so. Thresholds were chosen on other rows."
)
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
        gains: Likewise in other metrics, by metric.
        spread: Smallest and largest leading metric over seeds.
        note: What else must be known.
    """

    group: str = ""
    model: str
    kind: Kind
    figures: dict[str, Figure]
    gain: Figure | None = None
    gains: dict[str, Figure] = {}
    spread: tuple[float, float] | None = None
    note: str = ""


class TargetLine(_Value):
    """What one threshold rule comes to on held-out rows.

    Attributes:
        group: Which rows or which task, as in `Line`.
        rule: How the threshold was chosen, or that nobody or everybody is flagged.
        figures: By name, as in `TARGET_FIGURES`.
        verdicts: Of each target, in words; none of flagging nobody or everybody.
        note: What else must be known.
    """

    group: str = ""
    rule: str
    figures: dict[str, Figure]
    verdicts: dict[str, str] = {}
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
        targets: What threshold rules come to, if the product's targets are of this task.
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
    targets: tuple[TargetLine, ...] = ()


def markdown(result: Result) -> str:
    """Return *result* as a Markdown section with one table."""
    grouped = any(line.group for line in result.lines)
    spread = any(line.spread and line.spread[0] < line.spread[1] for line in result.lines)
    gained = any(line.gain for line in result.lines)
    leading, digits = next(iter(result.metrics.values()))
    more = [key for key in result.metrics if any(key in line.gains for line in result.lines)]
    heads = [
        *(["task"] if grouped else []),
        "model",
        *(title for title, _ in result.metrics.values()),
        *([f"ours minus it ({leading})"] if gained else []),
        *(f"ours minus it ({result.metrics[key][0]})" for key in more),
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
                line.gains[key].text(result.metrics[key][1], sign=True) if key in line.gains else ""
                for key in more
            ),
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
        *(
            [f"## Threshold rules against the targets\n\n{TARGETS}", targets_table(result)]
            if result.targets
            else []
        ),
        *(f"Left out: {sentence}." for sentence in result.missing),
        f"Run on {result.made_on}, {result.plan} plan, {result.seconds} s; {libraries}.",
    ]
    return "\n\n".join(parts) + "\n"


def targets_table(result: Result) -> str:
    """Return the threshold rules of *result* as a Markdown table."""
    grouped = any(line.group for line in result.targets)
    shown = {
        name: title
        for name, title in TARGET_FIGURES.items()
        if any(name in line.figures for line in result.targets)
    }
    heads = [
        *(["task"] if grouped else []),
        "rule",
        *(title for title, _ in shown.values()),
        "against the targets",
        "",
    ]
    body = []
    last = None
    for line in result.targets:
        verdicts = "; ".join(
            f"{TARGET_FIGURES[name][0]}: {sentence}" for name, sentence in line.verdicts.items()
        )
        body.append(
            [
                *([line.group if line.group != last else ""] if grouped else []),
                line.rule,
                *(
                    line.figures[name].text(digits) if name in line.figures else ""
                    for name, (_, digits) in shown.items()
                ),
                verdicts,
                line.note,
            ]
        )
        last = line.group
    return "\n".join(
        f"| {' | '.join(cells)} |".replace("  ", " ") for cells in (heads, ["---"] * len(heads), *body)
    )


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


def verdicts(result: Result) -> list[str]:
    """Return a sentence a metric and state: which models ours is surely ahead of, behind, or can't be told from.

    Where a result has several tasks, models are named once, with the tasks in brackets unless it is all of them.
    """
    tasks = {line.group for line in result.lines}
    sentences = []
    for key, (title, _) in result.metrics.items():
        found: dict[str, dict[str, list[str]]] = {}
        for line in result.lines:
            gain = line.gain if key == next(iter(result.metrics)) else line.gains.get(key)
            if gain is None or gain.low is None or gain.high is None:
                continue
            state = "ahead" if gain.low > 0 else "behind" if gain.high < 0 else "level"
            found.setdefault(state, {}).setdefault(line.model, []).append(line.group)
        for state, models in found.items():
            named = [
                model if len(groups) == len(tasks) else f"{model} ({', '.join(groups)})"
                for model, groups in models.items()
            ]
            everywhere = len(tasks) > 1 and all(len(groups) == len(tasks) for groups in models.values())
            sentences.append(
                f"{title}: {_WORDS[state]} {'; '.join(named)}{', in every task' if everywhere else ''}."
            )
    return sentences
