"""`keepgrow policy`: check a policy, run its tests, list what rules may speak of, and look at past decisions."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.known_fields import known_fields
from keepgrow.options import CatalogueFile, bundle_of_fields
from keepgrow.policy_diff import diff
from keepgrow.policy_explain import explain
from serving.decisions.catalogue import load_catalogue
from serving.decisions.policy.cases import PACKAGED_CASES, load_cases, run_cases
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import load_policy

policy_app = typer.Typer(no_args_is_help=True)
policy_app.command("explain")(explain)
policy_app.command("diff")(diff)

PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", envvar="KEEPGROW_POLICY", help="Policy; without it the packaged one."),
]
Model = Annotated[str | None, bundle_of_fields("rules")]


@policy_app.command()
def check(policy: PolicyFile = None, catalogue: CatalogueFile = None, model: Model = None) -> None:
    """Compile a policy and check its rules against fields and catalogue; the exit code is 2 if it is wrong."""
    document = load_policy(policy)
    compiled = Policy(document, known_fields(model))
    compiled.require_actions(load_catalogue(catalogue))
    table = Table(title=f"{document.name}  {document.hash[:19]}", title_justify="left", title_style="bold")
    for heading in ("stage", "rule", "reason", "covers", "requires"):
        table.add_column(heading, overflow="fold")
    for one in compiled.rules:
        cover = one.rule.covers
        table.add_row(
            one.rule.stage,
            one.rule.id,
            one.rule.reason_code,
            ", ".join(cover.named) or "all",
            one.rule.require,
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    others = len(compiled.rules) - len(document.rules)
    console.print(
        f"{len(document.rules)} rules, and {others} of exceptions, release windows and regions; every one can be told "
        "for values of its fields' types"
    )


@policy_app.command("test")
def run_tests(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of cases; without them those of the packaged policy.")
    ] = None,
    policy: PolicyFile = None,
    catalogue: CatalogueFile = None,
    model: Model = None,
) -> None:
    """Run the cases of a policy; the exit code is 1 if one does not come out as expected."""
    fields = known_fields(model)
    compiled, plans = Policy(load_policy(policy), fields), load_catalogue(catalogue)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    failed = count = 0
    for path in files or [PACKAGED_CASES]:
        for outcome in run_cases(load_cases(path), compiled, plans, fields):
            count += 1
            if not outcome.ok:
                failed += 1
                console.print(
                    f"{path.name}: {outcome.case.name}: expected {outcome.case.expect}, found {outcome.found}"
                    + (f" ({outcome.text})" if outcome.text else "")
                )
    console.print(f"{count} cases, {failed} failed")
    if failed:
        raise typer.Exit(1)


@policy_app.command("fields")
def list_fields(model: Model = None) -> None:
    """List every name that a rule may use, with its type."""
    table = Table()
    for heading in ("field", "type", "of the", "what it is"):
        table.add_column(heading, overflow="fold")
    for field in known_fields(model).values():
        table.add_row(field.name, field.kind, "account" if field.of_frame else "action", field.description)
    Console(highlight=False, markup=False).print(table)
