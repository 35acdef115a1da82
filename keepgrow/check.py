"""`keepgrow check DATA`: what is wrong with a data folder, table by table. Nothing is written."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from feature_repo.tables.breach import Breach, CheckReport, Rule, Severity
from feature_repo.tables.check import check as check_folder

NARROWEST = 120
_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def check(
    data: Annotated[Path, typer.Argument(help="Folder that holds the raw tables.", show_default=False)],
) -> None:
    """Check a data folder against the raw-table contract; writes nothing.

    The exit code is 1 if there is an error, 0 if there are none or only warnings.
    """
    report = check_folder(data, today=dt.datetime.now(dt.UTC).date())
    console = Console()
    if console.width < NARROWEST and not console.is_terminal:
        console = Console(width=NARROWEST)
    print_report(report, console)
    if not report.ok:
        raise typer.Exit(1)


def print_report(report: CheckReport, console: Console) -> None:
    """Print *report*: a table of breaches for each raw table that has any, a line for each that has none."""
    by_table: dict[str, list[Breach]] = {}
    for breach in report.breaches:
        if breach.rule is not Rule.ABSENT_TABLE:
            by_table.setdefault(breach.table, []).append(breach)
    rows = {table.name: table for table in report.tables}
    for name in dict.fromkeys([*by_table, *rows]):
        state = rows.get(name)
        counted = f"{state.rows:,} rows" if state and state.readable else ""
        if name not in by_table:
            console.print(Text.assemble(("ok  ", "green"), (name, "bold"), f"  {counted}"))
        else:
            console.print(_breach_table(f"{name}  {counted}".rstrip(), by_table[name]))
    absent = [breach for breach in report.breaches if breach.rule is Rule.ABSENT_TABLE]
    if absent:
        console.print(_absence_table(absent))
    errors, warnings = len(report.errors), len(report.warnings)
    style = "bold red" if errors else "bold green"
    verdict = "can't be used as it is" if errors else "fits the contract"
    console.print(Text(f"{report.folder} {verdict}: {errors} errors, {warnings} warnings", style=style))


def _breach_table(title: str, breaches: list[Breach]) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold", expand=False)
    for heading in ("", "column", "breach"):
        table.add_column(heading, overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("what would be right, and examples", overflow="fold", ratio=1)
    for breach in breaches:
        table.add_row(
            Text(breach.severity.value, style=_STYLE[breach.severity]),
            Text(breach.column or ""),
            Text(breach.rule.value),
            Text(f"{breach.rows:,}" if breach.rows else ""),
            Text("\n".join([breach.sentence, *(f"· {example}" for example in breach.examples)])),
        )
    return table


def _absence_table(breaches: list[Breach]) -> Table:
    table = Table(title=Text("optional tables that are not there"), title_justify="left", title_style="bold")
    for heading in ("", "table", "what is lost"):
        table.add_column(heading, overflow="fold")
    for breach in breaches:
        severity = Text(breach.severity.value, style=_STYLE[breach.severity])
        table.add_row(severity, Text(breach.table), Text(breach.sentence))
    return table
