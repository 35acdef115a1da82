"""`keepgrow triggers run`: over all accounts of the online store, stoppable, and repeatable at any time."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from keepgrow.apply import FeaturesOption
from keepgrow.ledger_address import LedgerUrl, ledger_url
from keepgrow.online_store import settings_with_online_store
from keepgrow.processes import STOPPING, terminate_like_interrupt
from serving.settings import ServingSettings, load_settings
from serving.triggers.errors import PlaybooksError

if TYPE_CHECKING:
    from serving.triggers.run import Run

STOPPED = 130
STORE_SECONDS = 5.0
LEDGER_SECONDS = 60.0
"""How long one question to the store, or to the ledger, may take; nobody waits for this run."""
COLUMNS = ("fired", "started", "applied", "task", "nothing", "held_out", "ended", "unknown")
HEADINGS = ("fired", "started", "applied", "tasks", "nothing", "held out", "aim reached", "not known")


def run(
    accounts: Annotated[
        Path | None,
        typer.Option("--accounts", help="File of account ids, one a line; without it all accounts."),
    ] = None,
    at: Annotated[
        dt.datetime | None,
        typer.Option(
            "--at", formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"], help="As of when (UTC); now if not given."
        ),
    ] = None,
    features: FeaturesOption = None,
    ledger: LedgerUrl = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done; nothing is recorded.")
    ] = False,
) -> None:
    """Start, continue and end workflows; what is on record is not done again, however often this runs."""
    console = Console(highlight=False, soft_wrap=False)
    given = load_settings()
    with settings_with_online_store(features, None) as store:
        settings = given.model_copy(
            update={
                "redis_url": store.redis_url,
                "ledger_url": ledger_url(ledger),
                "redis_timeout_seconds": max(STORE_SECONDS, given.redis_timeout_seconds),
                "ledger_timeout_seconds": max(LEDGER_SECONDS, given.ledger_timeout_seconds),
                "clock_start": given.clock_start if at is None else at.replace(tzinfo=dt.UTC),
            }
        )
        named = None if accounts is None else _read_accounts(accounts)
        try:
            with terminate_like_interrupt():
                done = asyncio.run(_run(settings, named, dry=dry_run, console=console))
        except (KeyboardInterrupt, asyncio.CancelledError):
            console.print("\nStopped. What was done is on record; run it again to go on.")
            raise SystemExit(STOPPED) from None
    console.print(_table(done))
    console.print(_summary(done), soft_wrap=True)


async def _run(settings: ServingSettings, named: Sequence[str] | None, *, dry: bool, console: Console) -> Run:
    from serving.state import ServingState
    from serving.triggers.accounts import stored_accounts
    from serving.triggers.runner import run_triggers

    this = asyncio.current_task()
    for number in STOPPING:  # from here on a signal ends the run between two of its steps
        if this is not None:
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    state = ServingState.load(settings)
    try:
        await state.ledger.open()
        account_ids = named
        if account_ids is None:
            contract = state.bundle.manifest.contract
            account_ids = await stored_accounts(contract, settings.redis_url, settings.redis_timeout_seconds)
        columns = (TextColumn("accounts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("accounts", total=len(account_ids))
            return await run_triggers(
                state, account_ids, dry=dry, progress=lambda count: progress.advance(task, count)
            )
    finally:
        await state.close()


def _read_accounts(path: Path) -> list[str]:
    """Return the account ids of a file, each once.

    Raises:
        PlaybooksError: It can't be read, or names none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybooksError(f"{path}: can't be read as UTF-8 text: {error}") from error
    found = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not found:
        raise PlaybooksError(f"{path}: names no account; it should have one id a line")
    return found


def _table(done: Run) -> Table:
    table = Table("trigger", *HEADINGS)
    for trigger, counts in done.counts.items():
        table.add_row(trigger, *(f"{counts[name]:,}" for name in COLUMNS))
    table.add_section()
    table.add_row("all", *(f"{done.total(name):,}" for name in COLUMNS))
    return table


def _summary(done: Run) -> str:
    parts = [f"{done.accounts:,} accounts as of {done.at:%Y-%m-%d %H:%M} (UTC)"]
    if done.stale:
        parts.append(f"{done.stale:,} of them with features too old to do anything")
    if done.unknown:
        parts.append(f"{len(done.unknown):,} not known to the online store")
    if done.dry:
        parts.append("nothing was recorded or done")
    elif done.total("applied") + done.total("task"):
        parts.append("effects leave by the service's outbox, or by `keepgrow outbox run`")
    return "; ".join(parts)
