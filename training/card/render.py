"""Renders the facts of a model card: as one self-contained HTML page, and as Markdown."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from training.card.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from training.card.wording import METRIC_LABELS, OURS

if TYPE_CHECKING:
    from training.card.values import CardFacts, Figure

_DIGITS = {"brier": 4, "log_loss": 4}
_LEAST_AUC = 0.4


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
        verdicts=frozenset({"met", "missed", "undecided"}),
    )
    environment.filters["cell"] = _markdown_cell
    return environment


def _markdown_cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
