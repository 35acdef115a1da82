"""`keepgrow ladder`: where each action stands on the ladder of autonomy, and what it takes to move it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.ledger_address import LedgerUrl, open_ledger
from keepgrow.options import in_utc
from serving.autonomy.figures import COUNTS, together
from serving.autonomy.ladder import NotPromoted, Rung, demote_by_figures, read_ladder
from serving.autonomy.ladder import demote as lower_level
from serving.autonomy.ladder import promote as raise_level
from serving.autonomy.promotion import Missing, limits
from serving.decisions.autonomy import FIRST, LEVELS, Level, PromotionRule
from serving.decisions.catalogue import load_catalogue
from serving.decisions.policy.document import PolicyDocument, load_policy
from serving.errors import CatalogueError
from serving.settings import load_settings

ladder_app = typer.Typer(no_args_is_help=True, help="How far actions may go without a person.")

ActionKey = Annotated[str, typer.Argument(help="Key of an action of the catalogue.")]
By = Annotated[str, typer.Option("--by", help="The person who answers for it.")]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", help="The policy in force; without it KEEPGROW_POLICY, or the packaged one."),
]
CatalogueFile = Annotated[
    Path | None,
    typer.Option("--catalogue", help="The catalogue; without it KEEPGROW_CATALOGUE, or the packaged one."),
]
At = Annotated[
    dt.datetime | None,
    typer.Option(
        "--at",
        formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
        help="As of when (UTC), for a service with a clock of its own; now if not given.",
    ),
]


@ladder_app.command()
def show(
    action: Annotated[str | None, typer.Argument(help="Only this action, week by week.")] = None,
    ledger: LedgerUrl = None,
    policy: PolicyFile = None,
    catalogue: CatalogueFile = None,
    at: At = None,
) -> None:
    """Show each action's level, what it has shown there, and what it lacks for the next level."""
    document = _policy(policy)
    keys = _keys(catalogue)
    if action is not None:
        _require_known(action, catalogue)
        keys = [action]
    console = Console(highlight=False, markup=False)
    rungs = [*read_ladder(open_ledger(ledger), document, keys, in_utc(at)).values()]
    console.print(_levels(rungs, document.autonomy.rule))
    console.print(_figures(rungs, document.autonomy.rule, everything=action is not None))
    for rung in rungs:
        if action is not None:
            console.print(_weeks(rung))
            console.print(_reasons(rung.missing))
        _print_broken(console, rung)


@ladder_app.command()
def promote(
    action: ActionKey,
    by: By,
    ledger: LedgerUrl = None,
    policy: PolicyFile = None,
    catalogue: CatalogueFile = None,
    at: At = None,
) -> None:
    """Raise an action by one level, if the weeks that it was at its level allow it; the exit code is 1 if not."""
    _require_known(action, catalogue)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        change = raise_level(open_ledger(ledger), _policy(policy), action, by=by, now=in_utc(at))
    except NotPromoted as refused:
        console.print(f"{action} stays at {refused.level}")
        console.print(_reasons(refused.missing))
        raise typer.Exit(1) from refused
    console.print(f"{action} went from {change.before} to {change.after}, by {by}")


@ladder_app.command()
def demote(
    action: ActionKey,
    to: Annotated[str, typer.Option("--to", help=f"The level: {', '.join(LEVELS[:-1])}.")],
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence.")],
    ledger: LedgerUrl = None,
    policy: PolicyFile = None,
    catalogue: CatalogueFile = None,
    at: At = None,
) -> None:
    """Lower an action at once, to any level below its own; the services follow within seconds."""
    _require_known(action, catalogue)
    change = lower_level(
        open_ledger(ledger), _policy(policy), action, _level(to), by=by, reason=reason, now=in_utc(at)
    )
    typer.echo(f"{action} went from {change.before} to {change.after}, by {by}")


@ladder_app.command()
def evaluate(
    ledger: LedgerUrl = None,
    policy: PolicyFile = None,
    catalogue: CatalogueFile = None,
    at: At = None,
    *,
    apply_demotions: Annotated[
        bool, typer.Option("--apply-demotions", help="Lower by one level what has broken a limit.")
    ] = False,
) -> None:
    """Say which actions have broken a limit within their last whole weeks; the exit code is 1 if any has."""
    document, database = _policy(policy), open_ledger(ledger)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    found = [
        rung for rung in read_ladder(database, document, _keys(catalogue), in_utc(at)).values() if rung.broken
    ]
    for rung in found:
        _print_broken(console, rung)
        if apply_demotions and rung.level != FIRST:
            change = demote_by_figures(database, document, rung, in_utc(at))
            console.print(f"{rung.action} went from {change.before} to {change.after}")
    if found:
        raise typer.Exit(1)
    console.print("no action has broken a limit")


def _levels(rungs: Sequence[Rung], rule: PromotionRule) -> Table:
    table = Table("action", "level", "ceiling", "weeks", "proposed", "shown", "applied", "lacks")
    for rung in rungs:
        whole = together(rung.weeks)
        lacks = ", ".join(dict.fromkeys(one.figure for one in rung.missing)) or "nothing"
        level = rung.level if rung.recorded else f"{rung.level} (start)"
        table.add_row(
            rung.action, level, rung.ceiling, f"{rung.whole_weeks} of {rule.weeks}", str(whole.proposed),
            str(whole.shown), str(whole.applied), lacks,
        )  # fmt: skip
    return table


def _figures(rungs: Sequence[Rung], rule: PromotionRule, *, everything: bool) -> Table:
    """Return the ratios over the last weeks together, each with its interval and limit; of nothing if *everything*."""
    table = Table("action", "figure", "share", "95 % interval", "of", "limit")
    for rung in rungs:
        for limit in limits(rule, rung.level, together(rung.weeks)):
            value, (low, high) = limit.ratio.value, limit.ratio.interval_95
            if value is None and not everything:
                continue
            table.add_row(
                rung.action, limit.figure, "-" if value is None else f"{value:.1%}",
                f"{low:.1%} to {high:.1%}", str(limit.ratio.of),
                f"{'>=' if limit.at_least else '<='} {limit.bound:.1%}",
            )  # fmt: skip
    return table


def _weeks(rung: Rung) -> Table:
    table = Table("week", "from", *(name for name in COUNTS if name not in {"checked", "valid"}), "valid")
    for number, week in enumerate(rung.weeks, start=1):
        counts = week.figures.to_dict()
        checked, valid = counts.pop("checked"), counts.pop("valid")
        table.add_row(
            str(number),
            f"{week.start:%Y-%m-%d}",
            *(str(count) for count in counts.values()),
            f"{valid} of {checked}",
        )
    return table


def _print_broken(console: Console, rung: Rung) -> None:
    for one in rung.broken:
        console.print(f"{rung.action} has broken a limit at {rung.level}: {one.text}", soft_wrap=True)


def _reasons(missing: tuple[Missing, ...]) -> Table:
    table = Table("figure", "week", "what is missing")
    for one in missing:
        table.add_row(one.figure, "" if one.week is None else str(one.week), one.text)
    return table


def _policy(path: Path | None) -> PolicyDocument:
    return load_policy(path or load_settings().policy)


def _keys(path: Path | None) -> list[str]:
    return [action.key for action in load_catalogue(path or load_settings().catalogue).actions]


def _require_known(action: str, path: Path | None) -> None:
    known = _keys(path)
    if action not in known:
        raise CatalogueError(f"the catalogue has no action {action!r}: its actions are {', '.join(known)}")


def _level(text: str) -> Level:
    for level in LEVELS[:-1]:
        if level == text:
            return level
    raise typer.BadParameter(f"{text!r} is no level to fall to: {', '.join(LEVELS[:-1])}", param_hint="--to")
