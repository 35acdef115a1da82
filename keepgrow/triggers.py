"""`keepgrow triggers`: check, list and test triggers and playbooks, and run them over accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.known_fields import known_fields
from keepgrow.options import CatalogueFile, bundle_of_fields
from keepgrow.triggers_run import run
from serving.decisions.catalogue import load_catalogue
from serving.triggers.cases import PACKAGED_CASES, load_cases, run_cases
from serving.triggers.compiled import Playbooks
from serving.triggers.document import load_playbooks
from serving.triggers.fitting import fitted

triggers_app = typer.Typer(no_args_is_help=True, help="Rules that start workflows without a person.")
triggers_app.command("run")(run)

PlaybooksFile = Annotated[
    Path | None,
    typer.Option("--playbooks", envvar="KEEPGROW_PLAYBOOKS", help="Playbooks; without it the packaged ones."),
]
Model = Annotated[str | None, bundle_of_fields("triggers")]


@triggers_app.command()
def check(playbooks: PlaybooksFile = None, catalogue: CatalogueFile = None, model: Model = None) -> None:
    """Compile playbooks and check them against fields and catalogue; the exit code is 2 if they are wrong."""
    compiled, left_out = _compiled(playbooks, catalogue, model)
    table = Table(title=f"{compiled.name}  {compiled.hash[:19]}", title_justify="left", title_style="bold")
    for heading in ("trigger", "fires when", "in stages", "rests for", "starts", "queue"):
        table.add_column(heading, overflow="fold")
    for one in compiled.triggers:
        rule = one.trigger
        table.add_row(
            rule.id, rule.when, ", ".join(rule.stages) or "all", f"{rule.cooldown_days} days", rule.playbook,
            rule.queue,
        )  # fmt: skip
    console = _console()
    console.print(table)
    if left_out:
        console.print(f"left out, because catalogue or features lack it: {', '.join(left_out)}")
    console.print(
        f"{len(compiled.triggers)} triggers, {len(compiled.playbooks)} playbooks; every condition can be told for "
        "values of its fields' types"
    )


@triggers_app.command()
def show(playbooks: PlaybooksFile = None, catalogue: CatalogueFile = None, model: Model = None) -> None:
    """Show the stages of an account's life, and each playbook with its steps."""
    compiled, _ = _compiled(playbooks, catalogue, model)
    console = _console()
    stages = Table(
        "stage", "what it means", "when", title="stages, the first that holds", title_justify="left"
    )
    for stage in compiled.document.stages:
        stages.add_row(stage.key, stage.title, stage.when)
    console.print(stages)
    steps = Table("playbook", "day", "step", "one of", "until", title="playbooks", title_justify="left")
    for one in compiled.playbooks.values():
        playbook = one.playbook
        for number, step in enumerate(playbook.steps):
            first = number == 0
            steps.add_row(
                f"{playbook.key}: {playbook.aim}" if first else "",
                str(step.after_days),
                step.key,
                ", ".join(step.actions),
                f"{playbook.until or 'its time is over'}, or {playbook.days} days" if first else "",
            )
    console.print(steps)


@triggers_app.command("test")
def run_tests(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of cases; without them those of the packaged triggers.")
    ] = None,
    playbooks: PlaybooksFile = None,
    catalogue: CatalogueFile = None,
    model: Model = None,
) -> None:
    """Run the cases of triggers; the exit code is 1 if one does not come out as expected."""
    compiled, _ = _compiled(playbooks, catalogue, model)
    plans, fields = load_catalogue(catalogue), known_fields(model)
    console = _console()
    failed = count = 0
    for path in files or [PACKAGED_CASES]:
        for outcome in run_cases(load_cases(path), compiled, plans, fields):
            count += 1
            failed += bool(outcome.faults)
            for fault in outcome.faults:
                console.print(f"{path.name}: {outcome.case.name}: {fault}")
    console.print(f"{count} cases, {failed} failed")
    if failed:
        raise typer.Exit(1)


def _compiled(
    playbooks: Path | None, catalogue: Path | None, model: str | None
) -> tuple[Playbooks, tuple[str, ...]]:
    fields, plans = known_fields(model), load_catalogue(catalogue)
    if playbooks is None and catalogue is None and model is None:  # what is packaged fits together
        return Playbooks(load_playbooks(), fields, plans), ()
    return fitted(playbooks, load_playbooks(playbooks), fields, plans)


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=False)
