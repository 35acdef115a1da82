"""`keepgrow replay DECISION`: decide a past decision again, from the ledger alone, and compare byte for byte."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from keepgrow.ledger_address import LedgerUrl, open_ledger


def replay(
    decision: Annotated[str, typer.Argument(help="Id of the decision.")],
    ledger: LedgerUrl = None,
    *,
    model: Annotated[
        bool, typer.Option(help="Also score the recorded features again with the bundle of that time.")
    ] = False,
) -> None:
    """Decide a past decision again, and say whether the same comes out; the exit code is 1 if not."""
    from serving.ledger.replay import Difference
    from serving.ledger.replay import replay as decide_again
    from serving.ledger.transaction import Transaction

    with open_ledger(ledger).reading() as connection:
        replayed = decide_again(Transaction(connection), decision)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    frame = replayed.frame
    console.print(f"decision {decision} of {frame.now.isoformat()} about account {frame.account_id}")
    console.print(f"model    {frame.model}")
    console.print(f"policy   {replayed.rules.policy.hash}")
    differences: list[Difference] = [] if replayed.same else replayed.differences()
    if replayed.same:
        console.print(f"the same {len(replayed.recorded)} bytes come out")
    else:
        console.print("something else comes out:" if differences else "the same comes out in another order")
    if model:
        from keepgrow.replay_model import score_again

        scored = score_again(frame)
        differences += scored
        if not scored:
            console.print(f"{frame.model} gives the same probabilities")
    if differences:
        table = Table("where", "recorded", "now")
        for one in differences:
            table.add_row(one.path, orjson.dumps(one.recorded).decode(), orjson.dumps(one.now).decode())
        console.print(table)
    if differences or not replayed.same:
        raise typer.Exit(1)
