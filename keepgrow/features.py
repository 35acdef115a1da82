"""`keepgrow features`: build the daily feature tables, and list what is in them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from feature_repo.errors import FeatureRepoError
from feature_repo.pipeline.reference import reference_page
from feature_repo.pipeline.views import ALL_VIEWS

if TYPE_CHECKING:
    from feature_repo.pipeline.report import BuildReport

features_app = typer.Typer(no_args_is_help=True, help="Build and list features.")


@features_app.command("build")
def build_command(
    data: Annotated[Path, typer.Argument(help="Folder of raw tables.")],
    out: Annotated[Path, typer.Argument(help="Folder for the feature tables.")],
    start: Annotated[str | None, typer.Option(help="First day to build, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Last day to build, YYYY-MM-DD.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build all days again.")] = False,
) -> None:
    """Bring the feature tables up to the data; only days that are missing or changed are computed."""
    from feature_repo.pipeline.build import build

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            tasks = {view.name: bar.add_task(view.name, total=None) for view in ALL_VIEWS}
            report = build(
                data,
                out,
                created=dt.datetime.now(dt.UTC),
                start=_day(start),
                end=_day(end),
                rebuild=rebuild,
                progress=lambda view, done, total: bar.update(tasks[view], completed=done, total=total),
            )
    except FeatureRepoError as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    print_report(report, Console())


@features_app.command("list")
def list_command() -> None:
    """List all features with type, role and meaning."""
    table = Table("view", "feature", "type", "role", "meaning")
    for view in ALL_VIEWS:
        for feature in view.features:
            table.add_row(view.name, feature.name, feature.dtype, feature.role, feature.description)
    Console().print(table)


@features_app.command("reference")
def reference_command() -> None:
    """Print the reference page (docs/reference/features.md)."""
    print(reference_page(), end="")


def print_report(report: BuildReport, console: Console) -> None:
    """Print what a build did, view by view, then its warnings."""
    table = Table("view", "why", "days", "new rows", "rows")
    for view in report.views:
        days = f"{view.first_built} to {view.last_built}" if view.first_built else ""
        table.add_row(view.name, view.reason, days, f"{view.new_rows:,}", f"{view.rows:,}")
    console.print(table)
    for warning in report.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    if report.tickets_scored:
        console.print(f"{report.tickets_scored:,} ticket texts were scored", soft_wrap=True)
    console.print(f"features are there up to {report.end}", soft_wrap=True)


def _day(text: str | None) -> dt.date | None:
    """Return the day that *text* names.

    Raises:
        typer.BadParameter: It is not a day.
    """
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day; write it as 2026-03-31") from error
