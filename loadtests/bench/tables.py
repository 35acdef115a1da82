"""Results as tables: rows of text, which the terminal and the documentation both show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from loadtests.bench.sample import Rounds, Spread, select
from loadtests.bench.servers import SERVERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.bench.bounds import Figure
    from loadtests.bench.results import Results

COLUMNS: Final = (
    "server", "workers", "asked", "req/s (least to most)", "p50", "p90", "p99 (least to most)", "p99.9",
    "CPU ms", "store ms", "memory", "errors", "generator",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of servers.

    Attributes:
        cells: One text a column.
        ours: Whether it is the service's line.
    """

    cells: tuple[str, ...]
    ours: bool


def number(value: float) -> str:
    """Return a figure with three digits or so; `-` if there is none."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 100:  # noqa: PLR2004 - from three digits before the point on, none behind it
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004


def with_spread(spread: Spread) -> str:
    """Return a median, and in brackets the least and the most where they differ."""
    if math.isnan(spread.median) or spread.least == spread.most:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)} to {number(spread.most)})"


def server_rows(results: Results) -> list[Row]:
    """Return a row for each number of workers, scenario and server, as they were planned."""
    seen = dict.fromkeys((one.workers, one.scenario) for one in results.samples)
    titles = {server.name: server.title for server in SERVERS}
    rows = []
    for workers, scenario in seen:
        for name in titles:
            rounds = select(results.samples, name, scenario, workers)
            if rounds.samples:
                rows.append(Row(_cells(name, workers, scenario, rounds), name == "ours"))
    return rows


def _cells(name: str, workers: int, scenario: str, rounds: Rounds) -> tuple[str, ...]:
    def median(of: str) -> str:
        return number(rounds.spread(lambda sample: getattr(sample, of)).median)

    busy = rounds.spread(lambda sample: sample.generator_busy_ratio * 100).median
    return (
        name,
        str(workers),
        scenario,
        with_spread(rounds.rps),
        number(rounds.quantile(0.5).median),
        number(rounds.quantile(0.9).median),
        with_spread(rounds.quantile(0.99)),
        number(rounds.quantile(0.999).median),
        _processor_time(rounds),
        median("store_cpu_ms"),
        f"{median('rss_mb')} MiB",
        str(rounds.failed),
        f"{busy:.0f} %",
    )


def _processor_time(rounds: Rounds) -> str:
    """Return the processor time of a request; none where a server replaced workers meanwhile, who took theirs along."""
    spread = rounds.spread(lambda sample: sample.cpu_ms)
    return "" if spread.median < 0 else number(spread.median)


def terminal_table(rows: Sequence[Row]) -> Table:
    """Return the table of servers for a terminal."""
    table = Table(title="Latencies in ms; medians over the rounds", highlight=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in {"server", "asked"} else "right", no_wrap=True)
    before = None
    for row in rows:
        if before is not None and row.cells[1:3] != before:
            table.add_section()
        before = row.cells[1:3]
        table.add_row(*row.cells, style="bold" if row.ours else None)
    return table


def bounds_table(found: Sequence[Figure]) -> Table:
    """Return the table of bounds for a terminal."""
    table = Table(title="Bounds", highlight=False)
    for column in ("what", "measured (least to most)", "bound", ""):
        table.add_column(column, justify="right" if column.startswith("measured") else "left")
    for figure in found:
        if figure.measured:
            verdict = "[green]holds[/]" if figure.passed else "[bold red]does not hold[/]"
            table.add_row(figure.what, figure_text(figure), bound_text(figure), verdict)
    return table


def figure_text(figure: Figure) -> str:
    """Return a figure's median and spread."""
    return with_spread(Spread(figure.value, figure.least, figure.most))


def bound_text(figure: Figure) -> str:
    """Return a figure's bound in words."""
    return f"{figure.direction} {figure.bound:g}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
