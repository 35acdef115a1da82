"""`keepgrow caps`: look at what is used of a policy's caps, and count it again from the ledger."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.ledger_address import LedgerUrl, open_ledger
from serving.caps.rebuild import rebuild
from serving.caps.store import CapStore
from serving.decisions.caps import MINOR_UNITS
from serving.decisions.policy.document import load_policy
from serving.features.client import make_link
from serving.settings import load_settings

caps_app = typer.Typer(no_args_is_help=True, help="What is used of frequency caps and budgets.")

DEADLINE_SECONDS = 10.0
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="The policy; without it KEEPGROW_POLICY, or the packaged one.")
]
At = Annotated[
    dt.datetime | None,
    typer.Option(
        "--at", formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"], help="As of when (UTC); now if not given."
    ),
]


@caps_app.command()
def show(policy: PolicyFile = None, at: At = None) -> None:
    """Show what is used of each cap of the whole company."""
    settings = load_settings()
    document = load_policy(policy or settings.policy)
    caps = [cap for cap in document.caps if not cap.per]
    store = CapStore(make_link(settings.redis_url))

    async def ask() -> dict[str, int]:
        try:
            return (await store.usage([(cap.id, cap) for cap in caps], [], _utc(at), DEADLINE_SECONDS))[0]
        finally:
            await store.close()

    used = asyncio.run(ask())
    table = Table("cap", "used", "of", "", "window", "beyond it")
    for cap in caps:
        scale = MINOR_UNITS if cap.unit == "cost" else 1
        share = used[cap.id] / cap.limit_units if cap.limit_units else 1.0
        table.add_row(
            cap.id, f"{used[cap.id] / scale:g}", f"{cap.limit:g} {cap.unit.replace('_', ' ')}", f"{share:.0%}",
            f"{cap.window_days:g} days", cap.on_breach,
        )  # fmt: skip
    Console(highlight=False).print(table)
    apart = len(document.caps) - len(caps)
    typer.echo(
        f"{apart} other caps of policy {document.name!r} are counted apart for accounts, actions or channels"
    )


@caps_app.command("rebuild")
def rebuild_command(ledger: LedgerUrl = None, at: At = None) -> None:
    """Count again from the ledger, after the online store's server lost its data; what is there is left alone."""
    database = open_ledger(ledger)
    store = CapStore(make_link(load_settings().redis_url))

    async def count() -> tuple[int, int]:
        try:
            return await rebuild(store, database, _utc(at), DEADLINE_SECONDS)
        finally:
            await store.close()

    seen, missing = asyncio.run(count())
    typer.echo(
        f"{seen} reservations of the ledger still count; {missing} of them were missing and are counted now"
    )


def _utc(at: dt.datetime | None) -> dt.datetime:
    return dt.datetime.now(dt.UTC) if at is None else at.replace(tzinfo=dt.UTC)
