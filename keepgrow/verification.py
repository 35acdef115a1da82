"""`keepgrow verification`: check and list the rules that predictions are verified by, and what they may speak of."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.options import Model, VerificationFile
from keepgrow.verification_measure import measure
from serving.bundle.loader import load_bundle
from serving.bundle.store import MODEL_NAME, find_bundle
from serving.scoring.verification.compiled import verification_for
from serving.scoring.verification.document import load_verification
from serving.scoring.verification.fields import told_by

verification_app = typer.Typer(no_args_is_help=True, help="Rules that predictions are verified by.")
verification_app.command("measure")(measure)


@verification_app.command()
def check(verification: VerificationFile = None, model: Model = MODEL_NAME) -> None:
    """Check rules against what a bundle tells of accounts, and list them; the exit code is 2 if they are wrong."""
    bundle = load_bundle(find_bundle(model))
    own = load_verification(verification) if verification is not None else None
    document, found = own or load_verification(), verification_for(own, bundle.manifest)
    table = Table(title=f"{document.name}  {document.hash[:19]}", title_justify="left", title_style="bold")
    for heading in ("check", "concerns", "effect", "fails when", "what it says"):
        table.add_column(heading, overflow="fold")
    for one in found.checks:
        table.add_row(one.id, one.concerns, one.effect, one.when, one.text)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    left_out = [one.id for one in document.checks if one not in found.checks]
    if left_out:
        console.print(f"left out, because {bundle.tag} does not tell what they read: {', '.join(left_out)}")
    console.print(f"{len(found.checks)} checks; every one can be told for values of its fields' types")


@verification_app.command("fields")
def list_fields(model: Model = MODEL_NAME) -> None:
    """List every name that a check may use, with its type."""
    table = Table()
    for heading in ("field", "type", "what it is"):
        table.add_column(heading, overflow="fold")
    for field in told_by(load_bundle(find_bundle(model)).manifest).fields.values():
        table.add_row(field.name, field.kind, field.description)
    Console(highlight=False, markup=False).print(table)
