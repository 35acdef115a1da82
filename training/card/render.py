"""Renders the facts of a model card: as one self-contained HTML page, and as Markdown."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from training.card.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from training.card.wording import METRIC_LABELS, OURS

if TYPE_CHECKING:
    from training.card.values import CardFacts, Figure

_DIGITS = {"brier": 4, "log_loss": 4}
_LEAST_AUC = 0.4
_WITH_INTERVAL = re.compile(r"(.+?) \(([^()]+ to [^()]+)\)|(.+?) (± .+)")
_VERDICTS = {
    "met": "met",
    "missed": "missed",
    "undecided": "undecided",
    "beyond": "missed",
    "earns its place": "met",
    "better without": "undecided",
}
_PLAIN_COLUMNS, _STACKED_CELLS = 3, 39


def render_html(facts: CardFacts) -> str:
    """Return the card as an HTML page that loads nothing else and follows the reader's colour scheme."""
    return _environment().get_template("card.html.j2").render(facts=facts)


def render_markdown(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    return _environment().get_template("card.md.j2").render(facts=facts)


def figure_text(figure: Figure | None, metric: str) -> str:
    """Return a figure with its interval, such as `0.783 (0.75 to 0.81)`; a dash where it is undefined."""
    if figure is None or figure.value is None:
        return "-"
    value = f"{figure.value:.{_DIGITS.get(metric, 3)}f}"
    if figure.low is None or figure.high is None:
        return value
    digits = _DIGITS.get(metric, 3) - 1
    return f"{value} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"


def contents(facts: CardFacts) -> tuple[str, ...]:
    """Return the titles of the page's sections after the first, in their order."""
    heads = tuple(head.name.capitalize() for head in facts.heads)
    sections = tuple(section.title for section in facts.sections)
    return (facts.data.title, *heads, *sections, "Score, reasons and parity", "Limits", "Words", "Provenance")


def two_lines(cell: str) -> tuple[str, str]:
    """Return a cell's value and its interval or standard deviation, which stands below it; the latter may be empty."""
    found = _WITH_INTERVAL.fullmatch(cell)
    if found is None:
        return cell, ""
    value, between, mean, spread = found.groups()
    return (value, between) if value is not None else (mean, spread)


def prose(text: str) -> Markup:
    """Return a text for the page, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def verdict_class(cell: str) -> str:
    """Return the style class of a cell that is a verdict, even one that says what it is worth; else nothing."""
    first = re.split(r",| \(", cell, maxsplit=1)[0]
    if first == "met" and cell != "met":
        return "undecided"  # what flagging nobody meets too is no success
    return _VERDICTS.get(first, "")


def on_a_phone(columns: int, rows: int) -> str:
    """Return the style class of a table that is too wide for a phone: short ones are stacked, long ones scroll."""
    if columns <= _PLAIN_COLUMNS:
        return ""
    return "stacked" if rows * columns <= _STACKED_CELLS else "long"


def auc_place(value: float | None) -> float:
    """Return where an AUC stands on the card's scale from 0.4 to 1, in per cent of its width."""
    return 100.0 * min(1.0, max(0.0, ((value or 0.0) - _LEAST_AUC) / (1.0 - _LEAST_AUC)))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("training.card", "."),
        autoescape=select_autoescape(("html.j2",), default_for_string=False, default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        metrics=METRIC_LABELS,
        ours=OURS,
        text=figure_text,
        place=auc_place,
        frame={
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "top": TOP,
            "bottom": HEIGHT - BOTTOM,
        },
        contents=contents,
        on_a_phone=on_a_phone,
        verdict_class=verdict_class,
    )
    environment.filters["two_lines"] = two_lines
    environment.filters["prose"] = prose
    environment.filters["cell"] = _markdown_cell
    return environment


def _markdown_cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
