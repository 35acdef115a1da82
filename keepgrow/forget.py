"""`keepgrow forget ACCOUNT`: empty all that the ledger says of an account; the chain stays verifiable."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console

from keepgrow.ledger_address import LedgerUrl, open_ledger


def forget(
    account: Annotated[str, typer.Argument(help="Id of the account.")],
    ledger: LedgerUrl = None,
    reason: Annotated[str, typer.Option(help="Why, without naming the account.")] = "request",
) -> None:
    """Empty all that the ledger says of an account, and put on record that this was done."""
    import serving.actions.tables  # noqa: F401 -- what they hold of accounts is forgotten too
    from serving.ledger.erasure import forget as erase

    emptied = erase(open_ledger(ledger), account, now=dt.datetime.now(dt.UTC), reason=reason)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if emptied is None:
        console.print("the ledger knows no such account")
        raise typer.Exit(1)
    console.print(
        f"{emptied} contents were emptied; raw tables and features are forgotten where they are kept"
    )
