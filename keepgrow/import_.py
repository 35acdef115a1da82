"""`keepgrow import NAME SOURCE DEST`: a known public data set as raw tables, and what was left out."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from feature_repo.importers.registry import IMPORTERS, run_import
from feature_repo.importers.report import ImportReport

NARROWEST = 120


def import_(
    name: Annotated[str, typer.Argument(help=f"Data set: {' or '.join(IMPORTERS)}.", show_default=False)],
    source: Annotated[
        Path, typer.Argument(help="Folder that holds the data set's files.", show_default=False)
    ],
    dest: Annotated[
        Path, typer.Argument(help="Folder to write: new, empty, or an earlier import.", show_default=False)
    ],
) -> None:
    """Turn a known public data set into raw tables and report what was left out, and why, in numbers."""
    report = run_import(name, source, dest)
    console = Console()
    if console.width < NARROWEST and not console.is_terminal:
        console = Console(width=NARROWEST)
    print_report(report, dest, console)


def print_report(report: ImportReport, dest: Path, console: Console) -> None:
    """Print *report*: tables written, rows left out, contradictions, notes."""
    written = Table(title="tables written", title_justify="left", title_style="bold")
    written.add_column("table")
    written.add_column("rows", justify="right")
    for entry in report.tables:
        written.add_row(entry.table, f"{entry.rows:,}")
    console.print(written)
    if report.drops:
        left_out = Table(title="rows left out", title_justify="left", title_style="bold")
        for heading in ("source", "rows", "why"):
            left_out.add_column(heading, justify="right" if heading == "rows" else "left", overflow="fold")
        for drop in report.drops:
            left_out.add_row(Text(drop.source), f"{drop.rows:,}", Text(drop.reason))
        console.print(left_out)
    if report.findings:
        found = Table(title="contradictions in the source", title_justify="left", title_style="bold")
        for heading in ("source", "rows", "of", "what", "handled"):
            found.add_column(
                heading, justify="right" if heading in {"rows", "of"} else "left", overflow="fold"
            )
        for finding in report.findings:
            found.add_row(
                Text(finding.source),
                f"{finding.rows:,}",
                f"{finding.of:,}",
                Text(finding.what),
                Text(finding.handling),
            )
        console.print(found)
    for note in report.notes:
        console.print(Text(f"note: {note}"))
    console.print(Text(f"{report.importer} is in {dest}", style="bold green"))
