"""`keepgrow caps`: look at what is used of a policy's caps, and count it again from the ledger."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from keepgrow.apply import FeaturesOption
from keepgrow.ledger_address import LedgerUrl, open_ledger
from keepgrow.online_store import settings_with_online_store
from serving.caps.rebuild import rebuild
from serving.caps.store import CapStore
from serving.decisions.caps import MINOR_UNITS
from serving.decisions.policy.document import load_policy
from serving.features.client import make_link
from serving.settings import load_settings

caps_app = typer.Typer(no_args_is_help=True, help="What is used of frequency caps and budgets.")

DEADLINE_SECONDS = 10.0
T = TypeVar("T")
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
def show(policy: PolicyFile = None, at: At = None, features: FeaturesOption = None) -> None:
    """Show what is used of each cap of the whole company."""
    document = load_policy(policy or load_settings().policy)
    caps = [cap for cap in document.caps if not cap.per]

    async def ask(store: CapStore) -> dict[str, int]:
        return (await store.usage([(cap.id, cap) for cap in caps], [], _utc(at), DEADLINE_SECONDS))[0]

    used = _with_store(features, ask)
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
def rebuild_command(ledger: LedgerUrl = None, at: At = None, features: FeaturesOption = None) -> None:
    """Count again from the ledger, after the online store's server lost its data; what is there is left alone."""
    database = open_ledger(ledger)

    async def count(store: CapStore) -> tuple[int, int]:
        return await rebuild(store, database, _utc(at), DEADLINE_SECONDS)

    seen, missing = _with_store(features, count)
    typer.echo(
        f"{seen} reservations of the ledger still count; {missing} of them were missing and are counted now"
    )


def _with_store(features: Path | None, ask: Callable[[CapStore], Awaitable[T]]) -> T:
    """Return what *ask* finds in the server of the online store: `REDIS_URL`'s, or the embedded one."""

    async def asked(url: str) -> T:
        store = CapStore(make_link(url))
        try:
            return await ask(store)
        finally:
            await store.close()

    with settings_with_online_store(features, None) as settings:
        return asyncio.run(asked(settings.redis_url))


def _utc(at: dt.datetime | None) -> dt.datetime:
    return dt.datetime.now(dt.UTC) if at is None else at.replace(tzinfo=dt.UTC)
