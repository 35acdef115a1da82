"""`keepgrow catalogue`: find what contradicts itself in a catalogue, all of it at once."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving.decisions.catalogue import PACKAGED_CATALOGUE, parse_catalogue
from serving.decisions.catalogue.checking import faults_in
from serving.decisions.documents import read_document
from serving.errors import CatalogueError

catalogue_app = typer.Typer(no_args_is_help=True, help="Check a catalogue.")


@catalogue_app.callback()
def _commands() -> None:
    """Keep `check` a command of its own."""


@catalogue_app.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(envvar="KEEPGROW_CATALOGUE", help="Catalogue; without it the packaged one."),
    ] = None,
) -> None:
    """Print every fault of a catalogue, and exit with 1 if there is one; else say what it holds."""
    path = file or PACKAGED_CATALOGUE
    text = read_document(path, "catalogue", CatalogueError)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    faults = faults_in(text, str(path))
    for fault in faults:
        console.print(f"{path}: {fault}")
    if faults:
        console.print(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}")
        raise typer.Exit(1)
    catalogue = parse_catalogue(text, str(path))
    table = Table(title=f"{catalogue.name}  {catalogue.hash[:19]}", title_justify="left", title_style="bold")
    for heading in ("action", "type", "channel", "cost", "blast radius", "template"):
        table.add_column(heading, overflow="fold")
    for action in catalogue.actions:
        table.add_row(
            action.key, action.type, action.channel, f"{action.cost:g} {catalogue.currency}",
            action.blast_radius, action.template or "",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"{len(catalogue.plans)} plans, {len(catalogue.add_ons)} add-ons, {len(catalogue.bundles)} bundles, "
        f"{len(catalogue.price_bands)} price bands, {len(catalogue.disclosures)} disclosures, "
        f"{len(catalogue.templates)} templates, {len(catalogue.actions)} actions; nothing contradicts itself"
    )
