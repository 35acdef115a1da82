"""`keepgrow outbox`: look at the effects that wait for other systems, send them, and send them again."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.ledger_address import LedgerUrl, ledger_url, open_ledger
from serving.actions import outbox
from serving.actions.outbox import STATES
from serving.errors import LedgerError
from serving.ledger.transaction import Transaction

outbox_app = typer.Typer(no_args_is_help=True, help="Effects on their way to other systems.")

Account = Annotated[str | None, typer.Option(help="Only this account's.")]


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


@outbox_app.command("list")
def list_effects(
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(STATES)}; without it all.")] = None,
    account: Account = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows.")] = 50,
    ledger: LedgerUrl = None,
) -> None:
    """List effects, newest first, and count them by state."""
    wanted = _state(state)
    with open_ledger(ledger).reading() as connection:
        transaction = Transaction(connection)
        rows = outbox.listing(transaction, wanted, account, limit)
        counted = outbox.counts(transaction)
    table = Table()
    for heading in ("event", "type", "account", "target", "state", "tries", "due", "last error"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        shown = row.to_dict()
        table.add_row(
            row.event_id, row.type, row.account_id, row.target, row.state, str(row.attempts), shown["due_at"],
            row.last_error or "",
        )  # fmt: skip
    console = _console()
    console.print(table)
    console.print(", ".join(f"{count} {name}" for name, count in counted.items()))


@outbox_app.command()
def retry(
    events: Annotated[list[str] | None, typer.Argument(help="Ids of events that were given up.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    account: Account = None,
    ledger: LedgerUrl = None,
) -> None:
    """Let effects that were given up (`dead`) leave anew."""
    _again(events or [], "dead", everything=everything or account is not None, account=account, ledger=ledger)


@outbox_app.command()
def replay(
    events: Annotated[list[str] | None, typer.Argument(help="Ids of events that were delivered.")] = None,
    *,
    account: Account = None,
    ledger: LedgerUrl = None,
) -> None:
    """Send delivered effects again, under their old ids, so that a target that lost them has them."""
    _again(events or [], "delivered", everything=account is not None, account=account, ledger=ledger)


@outbox_app.command()
def prune(
    days: Annotated[int, typer.Option(min=1, help="What is older is forgotten.")] = 90,
    ledger: LedgerUrl = None,
) -> None:
    """Forget effects that are delivered or cancelled, and answers kept under idempotency keys; receipts stay."""
    from serving.actions.apply import forget_before

    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    with open_ledger(ledger).writing() as connection:
        transaction = Transaction(connection)
        effects = outbox.forget_before(transaction, before)
        answers = forget_before(transaction, before)
    _console().print(f"{effects} effects and {answers} answers were forgotten")


@outbox_app.command()
def run(
    ledger: LedgerUrl = None,
    *,
    once: Annotated[bool, typer.Option(help="Send what may leave now, then end.")] = False,
) -> None:
    """Send effects without a service, to the targets of `KEEPGROW_OUTBOX`, until interrupted."""
    sent = asyncio.run(_run(ledger_url(ledger), once=once))
    if once:
        _console().print(sent)


async def _run(url: str, *, once: bool) -> str:
    from serving.actions.worker import make_worker
    from serving.ledger.ledger import Ledger
    from serving.settings import load_settings

    settings = load_settings()
    ledger = Ledger(url, timeout_seconds=settings.ledger_timeout_seconds, sync=settings.ledger_sync)
    await ledger.open()
    worker = make_worker(settings, ledger, lambda: dt.datetime.now(dt.UTC))
    try:
        if once:
            sent = await worker.drain()
            await worker.close()
            return f"{sent.delivered} delivered, {sent.failed} to be tried again, {sent.dead} given up"
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        worker.start()
        await stop.wait()
        await worker.stop()
        return ""
    finally:
        await ledger.close()


def _state(text: str | None) -> outbox.State | None:
    for state in STATES:
        if text == state:
            return state
    if text is None:
        return None
    raise LedgerError(f"--state {text}: it should be one of {', '.join(STATES)}")


def _again(
    events: list[str], state: outbox.State, *, everything: bool, account: str | None, ledger: str | None
) -> None:
    if not events and not everything:
        raise LedgerError("name events, or an account with --account")
    with open_ledger(ledger).writing() as connection:
        transaction = Transaction(connection)
        count = outbox.send_again(transaction, events, state, account)
    _console().print(f"{count} will be sent")
