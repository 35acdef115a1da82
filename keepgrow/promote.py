"""`keepgrow promote`: makes a bundle the champion if every gate lets it, and says why if not."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.limits import LIMITS_FILE, changed_limits, load_limits

if TYPE_CHECKING:
    from training.gates import Candidate, Gate

REFUSED = 1
COLOURS = {"passed": "green", "explained": "yellow", "refused": "bold red", "not measured": "bold red"}
TABLE_WIDTH = 180


def promote(
    tag: Annotated[
        str | None, typer.Argument(help="Model tag, such as keepgrow:latest; none with --rollback.")
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(help="Why the bundle may be as good as it is, or why to roll back; it is recorded."),
    ] = None,
    limits: Annotated[
        Path, typer.Option(help="Limits (YAML) that are read over the shipped ones.")
    ] = LIMITS_FILE,
    by: Annotated[
        str | None, typer.Option(help="Who promotes; the user of this machine if not given.")
    ] = None,
    *,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the champion before this one; --explain says why.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, but change and record nothing.")] = False,
) -> None:
    """Make a bundle the champion, which is served from the next start on; refused with exit code 1."""
    from keepgrow.promotions import Promotion, champion_tag, record
    from serving.bundle.store import default_store
    from training.gates import judge

    console = Console(highlight=False, soft_wrap=True)
    store, who, now = default_store(), by or _this_user(), dt.datetime.now(dt.UTC)
    explain = (explain or "").strip() or None
    if rollback:
        _roll_back(store, tag, who, now, explain, console)
        return
    if tag is None:
        raise typer.BadParameter(
            "name a bundle, such as keepgrow:latest, or give --rollback", param_hint="TAG"
        )
    rules = load_limits(limits)
    for change in changed_limits(rules):
        console.print(f"limit    {change}", markup=False)
    current = champion_tag(store)
    candidate = _candidate(tag, store, current, explain)
    name = candidate.bundle.tag
    if name == current:
        console.print(f"{name} is the champion already.")
        return
    gates = judge(candidate, rules, time.perf_counter)
    Console(highlight=False, width=max(TABLE_WIDTH, console.width)).print(gates_table(name, current, gates))
    passed = all(gate.holds for gate in gates)
    if not dry_run:
        record(
            store,
            Promotion(
                at=now,
                by=who,
                tag=name,
                replaces=current,
                decision="promoted" if passed else "refused",
                reason=explain,
                limits=rules.hash,
                gates=tuple(gate.as_dict() for gate in gates),
            ),
        )
    if not passed:
        failed = sum(not gate.holds for gate in gates)
        console.print(
            f"[bold red]refused[/] {name}: {failed} of {len(gates)} gates; {current or 'no'} champion stays"
        )
        raise typer.Exit(REFUSED)
    verb = "would be promoted" if dry_run else "promoted"
    console.print(f"[bold green]{verb}[/] {name}" + (f", replacing {current}" if current else ""))


def gates_table(tag: str, champion: str | None, gates: tuple[Gate, ...]) -> Table:
    """Return every gate as a line: value, limit, verdict."""
    against = f"against the champion {champion}" if champion else "there is no champion yet"
    table = Table(title=f"{tag}, {against}", title_justify="left")
    for heading in ("gate", "of", "value", "limit", "verdict", "note"):
        table.add_column(heading, no_wrap=heading in {"gate", "of", "verdict"})
    for gate in gates:
        colour = COLOURS[gate.verdict]
        table.add_row(
            gate.name,
            gate.subject,
            escape(gate.value),
            escape(gate.limit),
            f"[{colour}]{gate.verdict}[/]",
            escape(gate.note),
        )
    return table


def _this_user() -> str:
    """Return the name of this user, or its number where a container knows no name of it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _candidate(tag: str, store: Path, current: str | None, explain: str | None) -> Candidate:
    from serving.bundle.store import describe_bundle, find_bundle
    from training.evaluation.compare import open_bundle
    from training.evaluation.held_out import DRAWS, LATER, read_test_rows
    from training.gates import Candidate

    folder = find_bundle(tag, store)
    name = describe_bundle(folder).tag
    bundle = open_bundle(name, folder)
    champion = open_bundle(current, find_bundle(current, store)) if current and current != name else None
    return Candidate(
        bundle=bundle,
        rows=read_test_rows(store, name),
        champion=champion,
        explanation=explain,
        seed=bundle.manifest.provenance.seed,
        later=read_test_rows(store, name, LATER),
        draws=read_test_rows(store, name, DRAWS),
        champion_draws=None if champion is None else read_test_rows(store, champion.tag, DRAWS),
    )


def _roll_back(
    store: Path, tag: str | None, who: str, now: dt.datetime, explain: str | None, console: Console
) -> None:
    from keepgrow.promotions import Promotion, champion_tag, previous_champion, record
    from serving.bundle.store import find_bundle

    if tag is not None or explain is None:
        raise typer.BadParameter(
            "--rollback takes no TAG, and needs --explain to say why", param_hint="--rollback"
        )
    current, target = champion_tag(store), previous_champion(store)
    find_bundle(target, store)
    record(
        store,
        Promotion(at=now, by=who, tag=target, replaces=current, decision="rolled_back", reason=explain),
    )
    console.print(f"[bold yellow]rolled back[/] from {current} to {target}")
