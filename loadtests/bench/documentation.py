"""Writes what a benchmark found into the documentation: a picture, and tables between two marks in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loadtests.bench.latency_svg import Line, latency_svg
from loadtests.bench.plan import HEADLINE
from loadtests.bench.sample import QUANTILES, select
from loadtests.bench.servers import SERVERS
from loadtests.bench.tables import COLUMNS, bound_text, figure_text, markdown, number, server_rows

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.bench.results import Results

BEGIN: Final = "<!-- measured: begin; `make bench-docs` writes what stands between the marks -->"
END: Final = "<!-- measured: end -->"
LEGEND: Final = (
    "Times in milliseconds; medians over the rounds. `CPU ms` is the server's processor time a request, "
    "`store ms` that of Valkey, `generator` the share of the time in which the load generator ran."
)


def picture(results: Results) -> str:
    """Return the picture of the servers at the headline scenario, one worker."""
    lines = []
    for server in SERVERS:
        rounds = select(results.samples, server.name, HEADLINE)
        if server.name == "constant" or not rounds.samples:
            continue
        points = tuple((share, rounds.quantile(share).median) for share in QUANTILES)
        label = f"{server.name}: {number(rounds.rps.median)} requests/s"
        lines.append(Line(server.name, label, points))
    size = f"{results.accounts:,} accounts, {results.features} features"
    note = f"{HEADLINE}, one worker, {size}; medians of the rounds"
    return latency_svg("Time to score one account", note, lines)


def measured(results: Results, machine: dict[str, Any]) -> str:
    """Return the part of the page that is made from the results, marks included."""
    bounds = [
        (
            figure.what,
            f"`{figure.key}`",
            figure_text(figure),
            bound_text(figure),
            "holds" if figure.passed else "**no**",
        )
        for figure in results.figures
        if figure.measured
    ]
    rows = [tuple(f"**{cell}**" if row.ours else cell for cell in row.cells) for row in server_rows(results)]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    starts = [(name, number(sorted(seconds)[len(seconds) // 2])) for name, seconds in results.starts.items()]
    how = (
        f"Measured on {results.made_at[:10]} by `make bench` ({results.plan} plan): {machine['cpus']} cores, "
        f"{machine['memory_gib']} GiB, Python {machine['python']}, {libraries}. "
        f"{results.accounts:,} accounts with {results.features} features each, one graph of "
        f"{results.trees:,} boosted trees; the service "
        + ("ran as the built bento." if results.bento else "ran from its sources.")
    )
    parts = (
        BEGIN, how,
        markdown(("what", "key", "measured (least to most)", "bound", ""), bounds),
        LEGEND,
        markdown(COLUMNS, rows),
        "Seconds from start to first right answer:",
        markdown(("server", "seconds"), starts),
        END,
    )  # fmt: skip
    return "\n\n".join(parts)


def write_documentation(results: Results, machine: dict[str, Any], page: Path, image: Path) -> None:
    """Write the picture, and the measured part of the page.

    Raises:
        SystemExit: The page lacks the marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} lacks the marks {BEGIN!r} and {END!r}")
    page.write_text(before + measured(results, machine) + after, encoding="utf-8")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_text(picture(results), encoding="utf-8")
