"""Sections that a bundle may or may not have, such as tuning: whatever figures stand there become tables, whole.

Their form is their makers' affair; mappings, lists, figures with intervals and curves are told apart here, so that a
new kind of figure appears on the card without a change to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.card.plots import Plot, curve_plot

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLES = {
    "fairness": "Fairness",
    "tuning": "Tuning",
    "leakage": "Leakage checks",
    "gates": "Gates",
}
_MOST_LISTED, _MOST_DEPTH = 12, 5
_MANY, _LARGE, _TINY = 1000, 100, 0.001


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; an empty `caption` says nothing."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a section: a heading, then facts, a table, plots or a text; what is empty is not shown.

    Of a `folded` table the page shows only the caption until it is asked for.
    """

    heading: str = ""
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    plots: tuple[Plot, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the card."""

    title: str
    blocks: tuple[Block, ...]


def sections_of(metrics: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return a section for every key of `TITLES` that stands in *metrics*, or below its heads."""
    found = []
    for key, title in TITLES.items():
        blocks: list[Block] = []
        if metrics.get(key):
            blocks += blocks_of(metrics[key])
        for head, entry in metrics.get("heads", {}).items():
            if entry.get(key):
                blocks += [Block(heading=words(head).capitalize()), *blocks_of(entry[key])]
        if blocks:
            found.append(Section(title, tuple(blocks)))
    return tuple(found)


def blocks_of(value: Any, heading: str = "", depth: int = 0) -> list[Block]:  # noqa: ANN401 - any JSON
    """Return *value*, any JSON, as blocks under *heading*."""
    if is_curve(value):
        return [Block(plots=(curve_plot(heading or "Curve", value),))]
    if is_leaf(value):
        return [Block(heading=heading, text=leaf_text(value))]
    if depth >= _MOST_DEPTH:
        return []
    table = _as_table(value)
    if table is not None:
        return [Block(heading=heading, table=table)]
    items = (
        list(value.items()) if isinstance(value, dict) else [(str(i + 1), one) for i, one in enumerate(value)]
    )
    plain = [(words(name), leaf_text(one)) for name, one in items if is_leaf(one)]
    texts = [text for name, text in plain if name in {"sentence", "text", "note"}]
    facts = tuple((name, text) for name, text in plain if name not in {"sentence", "text", "note"})
    found = []
    if heading or facts or texts:
        found.append(Block(heading=heading, text=" ".join(texts), facts=facts))
    for name, one in items:
        if not is_leaf(one) and one:
            title = words(name).capitalize()
            found += blocks_of(one, f"{heading}: {words(name)}" if heading else title, depth + 1)
    return found


def is_figure(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether *value* is a figure with an interval."""
    return isinstance(value, dict) and {"value", "low", "high"} <= value.keys() and len(value) <= 4  # noqa: PLR2004 - and a note


def is_curve(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether *value* is a curve: `x` and `y` of equal length, two points at least."""
    if not (
        isinstance(value, dict) and isinstance(value.get("x"), list) and isinstance(value.get("y"), list)
    ):
        return False
    points = [*value["x"], *value["y"]]
    return len(value["x"]) == len(value["y"]) > 1 and all(
        isinstance(point, int | float) and math.isfinite(point) for point in points
    )


def is_leaf(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether *value* is told in one cell."""
    short = isinstance(value, list) and all(not isinstance(one, dict | list) for one in value)
    return not isinstance(value, dict | list) or is_figure(value) or short


def leaf_text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a leaf in words: a number with the digits that matter, an interval in brackets, a dash for nothing."""
    if isinstance(value, list):
        listed = ", ".join(leaf_text(one) for one in value[:_MOST_LISTED]) or "-"
        more = len(value) - _MOST_LISTED
        return f"{listed} and {more} more" if more > 0 else listed
    if isinstance(value, dict):
        text = leaf_text(value["value"])
        if value["low"] is None or value["high"] is None:
            return text
        return f"{text} ({leaf_text(value['low'])} to {leaf_text(value['high'])})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else _number_text(value) if isinstance(value, int | float) else str(value)


def _number_text(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return "-"
    if abs(value) >= _LARGE:
        return f"{value:,.0f}" if abs(value) >= _MANY else f"{value:.1f}"
    return f"{value:.3g}" if abs(value) >= _TINY else f"{value:.1g}" if value else "0"


def words(name: str) -> str:
    """Return a key as words."""
    return str(name).replace("_", " ")


def _as_table(value: Any) -> Table | None:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        named: list[tuple[str | None, Any]] = [(None, one) for one in value]
    else:
        named = [(words(name), one) for name, one in value.items()]
    records = [one for _, one in named]
    if not records or not all(
        isinstance(one, dict) and one and not is_figure(one) and all(is_leaf(cell) for cell in one.values())
        for one in records
    ):
        return None
    columns = list(dict.fromkeys(name for one in records for name in one))
    header = [words(name) for name in columns]
    rows = []
    for name, one in named:
        cells = [leaf_text(one[column]) if column in one else "" for column in columns]
        rows.append(tuple(cells if name is None else [name, *cells]))
    return Table(
        caption="",
        header=tuple(header if isinstance(value, list) else ["", *header]),
        rows=tuple(rows),
    )


def missing_block(heading: str, found: Mapping[str, Any]) -> Block:
    """Return the block of a part that was left out or not measured: the sentence that says why."""
    told = found.get("left_out")
    return Block(
        heading=heading,
        text=f"Left out. {told}" if told else str(found.get("unmeasured", "Not measured.")),
    )
