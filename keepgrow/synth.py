"""`keepgrow synth`: makes a synthetic world, raw tables and truth, in a folder."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.synthetic.settings import DEFAULT_END, SyntheticWorldError, WorldReport, WorldSettings
from training.synthetic.world import generate


def synth(
    dest: Annotated[
        Path, typer.Argument(help="Folder to make; an earlier synthetic world there is replaced.")
    ],
    accounts: Annotated[int, typer.Option(help="Number of accounts.")] = 2_000,
    days: Annotated[int, typer.Option(help="Days of history.")] = 540,
    seed: Annotated[int, typer.Option(help="Seed; equal arguments make equal tables.")] = 7,
    end: Annotated[
        str, typer.Option(help="Last day of the history, YYYY-MM-DD (UTC).")
    ] = DEFAULT_END.isoformat(),
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace whatever folder stands at DEST.")] = False,
) -> None:
    """Make a synthetic world: the nine raw tables, plans, and the truth beside them. It is a simulation."""
    console = Console(stderr=True)
    settings = WorldSettings(accounts=accounts, days=days, seed=seed, end=_day(end))
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task("Simulating accounts", total=accounts)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        report = generate(settings, dest, show, force=force)
    print(summary(report))


def summary(report: WorldReport) -> str:
    """Return what *report* says, in lines for people."""
    lines = [f"Synthetic world in {report.dest} ({report.seconds:.1f} s), last day {report.settings.end}"]
    lines += [f"  {name:<16} {rows:>12,} rows" for name, rows in report.rows.items()]
    lines += [f"  truth/{name:<10} {rows:>12,} rows" for name, rows in report.truth_rows.items()]
    return "\n".join(lines)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise SyntheticWorldError(f"--end is {text!r}: it should be a day like {DEFAULT_END}") from error
