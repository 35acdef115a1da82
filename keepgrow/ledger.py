"""`keepgrow ledger`: verify, export and prune the ledger, bring its tables up to date, make training data of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.ledger_address import LedgerUrl, ledger_url, open_ledger
from keepgrow.options import Now, in_utc
from serving.errors import LedgerError

Attribute = Literal["segment", "region", "plan", "industry"]
"""What groups of accounts are told apart by."""

ledger_app = typer.Typer(no_args_is_help=True)


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


@ledger_app.command()
def verify(
    ledger: LedgerUrl = None,
    anchor: Annotated[
        str | None,
        typer.Option(help="NUMBER:HASH that an earlier call printed: shows whether the end was cut off."),
    ] = None,
) -> None:
    """Check the chain from its first entry to its last; the exit code is 1 if it is broken."""
    from serving.ledger.chain import Head
    from serving.ledger.verify import verify as check

    known = None
    if anchor is not None:
        number, _, digest = anchor.partition(":")
        if not number.isdigit() or not digest:
            raise LedgerError(
                f"--anchor {anchor}: it should be NUMBER:HASH, as `keepgrow ledger verify` prints it"
            )
        known = Head(int(number), digest)
    found = check(open_ledger(ledger), known)
    console = _console()
    if found.broken is not None:
        broken = found.broken
        console.print(f"BROKEN at entry {broken.seq} ({broken.what}): {broken.fault}")
        console.print(f"{found.entries} entries before it are sound")
        raise typer.Exit(1)
    console.print(
        f"{found.entries} entries are sound, {found.emptied} of them emptied on record; "
        f"{found.documents} documents are sound"
    )
    console.print(f"anchor: {found.head.seq}:{found.head.hash}")


@ledger_app.command()
def migrate(ledger: LedgerUrl = None) -> None:
    """Make the ledger's tables, or bring them up to date."""
    from serving.ledger.database import Database
    from serving.ledger.schema import migrate as bring_up_to_date
    from serving.ledger.schema import newest_version

    database = Database(ledger_url(ledger))
    done = bring_up_to_date(database)
    _console().print(f"{database}: {'brought to' if done else 'is at'} version {newest_version()}")


@ledger_app.command()
def export(
    dest: Annotated[Path, typer.Argument(help="Parquet file to write.")],
    ledger: LedgerUrl = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind to export; without it all.")] = None,
) -> None:
    """Write the entries into a Parquet file, for analysis."""
    from keepgrow.ledger_export import export_entries

    rows = export_entries(open_ledger(ledger), dest, kind or ())
    _console().print(f"{rows} entries in {dest}")


@ledger_app.command()
def prune(
    older_than: Annotated[int, typer.Option(min=1, help="Age in days past which contents are emptied.")],
    ledger: LedgerUrl = None,
    now: Now = None,
) -> None:
    """Empty the contents of old entries; the chain stays verifiable."""
    from serving.ledger.erasure import prune as empty_old

    at = in_utc(now)
    before = at - dt.timedelta(days=older_than)
    emptied = empty_old(open_ledger(ledger), before=before, now=at)
    _console().print(f"{emptied} contents from before {before:%Y-%m-%d %H:%M} UTC were emptied")


@ledger_app.command()
def treatments(
    dest: Annotated[Path, typer.Argument(help="Parquet file of the raw table `treatments` to write.")],
    ledger: LedgerUrl = None,
    window_days: Annotated[int, typer.Option(min=1, help="Days after a decision whose outcomes count.")] = 90,
    now: Now = None,
    *,
    silence_is_known: Annotated[
        bool,
        typer.Option(
            help="Whatever was lost or converted was reported: silence until a window's end means neither."
        ),
    ] = False,
) -> None:
    """Turn decisions and their outcomes into the raw table `treatments`, from which effects are learnt."""
    from keepgrow.ledger_treatments import write_treatments

    counts = write_treatments(
        open_ledger(ledger), dest, window_days=window_days, now=in_utc(now), silence_is_known=silence_is_known
    )
    _console().print(
        f"{counts.rows} treatments in {dest}: {counts.treated} treated, {counts.held_out} held out, "
        f"{counts.with_outcome} with an outcome; {counts.skipped} decisions left out"
    )


@ledger_app.command()
def arms(
    ledger: LedgerUrl = None,
    window_days: Annotated[
        int, typer.Option(min=1, help="Days after an account's first decision whose outcomes count.")
    ] = 90,
    now: Now = None,
) -> None:
    """Compare accounts under the policy, in control arms and held out; silence means that an account stayed."""
    from keepgrow.ledger_arms import Estimate, compare_arms

    def shown(estimate: Estimate | None, scale: float, unit: str) -> str:
        if estimate is None:
            return ""
        value, low, high = (scale * end for end in (estimate.value, estimate.low, estimate.high))
        return f"{value:+.1f}{unit} ({low:+.1f} to {high:+.1f})"

    found = compare_arms(open_ledger(ledger), window_days=window_days, now=in_utc(now))
    if not found:
        _console().print(f"No account's first decision is {window_days} days old yet.")
        return
    table = Table(title="Differences from the held out, with 95 % intervals", title_justify="left")
    for heading in ("arm", "accounts", "with an action", "stayed", "expanded"):
        table.add_column(heading, justify="left" if heading == "arm" else "right")
    for heading in ("stayed more", "expanded more", "extra MRR an account more"):
        table.add_column(heading, justify="right")
    for one in found:
        figures, count = one.figures, one.figures.accounts
        table.add_row(
            figures.arm, str(count), str(figures.with_action),
            f"{1 - sum(figures.left) / count:.1%}", f"{sum(figures.expanded) / count:.1%}",
            shown(one.retained, 100, " points"), shown(one.expanded, 100, " points"), shown(one.extra_mrr, 1, ""),
        )  # fmt: skip
    _console().print(table)


@ledger_app.command()
def exposure(
    by: Annotated[Attribute, typer.Option(help="What groups of accounts are told apart by.")] = "segment",
    ledger: LedgerUrl = None,
) -> None:
    """Show which groups of accounts get actions, complain and have actions undone, and where they surely differ."""
    from keepgrow.ledger_exposure import exposure as count
    from serving.wilson import Ratio

    def shown(share: Ratio) -> str:
        if share.value is None:
            return "of none"
        low, high = share.interval_95
        return f"{share.events} of {share.of}, {share.value:.1%} ({low:.1%} to {high:.1%})"

    table = Table(by, "accounts with an action", "complained, of shown", "undone, of applied", "surely")
    for one in count(open_ledger(ledger), by):
        surely = [
            text
            for text, holds in (
                ("less exposed than four fifths of the most exposed", one.surely_less_exposed),
                ("more complaints than another group", one.surely_more_complaints),
            )
            if holds
        ]
        table.add_row(
            one.name, shown(one.exposed), shown(one.complained), shown(one.reversed), "; ".join(surely)
        )
    _console().print(table)
