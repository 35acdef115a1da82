"""Processes that apply an action or empty the outbox and are killed (SIGKILL) each at a step of its own.

`python -m tests.serving.actions.killed FOLDER STEP...` works in FOLDER/STEP for each step, in a process of its own, and
prints by which signal each of them ended.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.actions import apply as apply_module
from serving.actions import outbox
from serving.actions.connectors import make_connectors
from serving.actions.sources import find_source
from serving.actions.worker import OutboxWorker, Retries
from serving.ledger.ledger import Ledger
from serving.ledger.transaction import Transaction
from tests.serving.actions.worlds import account, applied

if TYPE_CHECKING:
    from collections.abc import Callable

APPLY_STEPS = ("before", "key", "application", "receipt", "outbox", "committed")
SEND_STEPS = ("claimed", "sent", "marked")


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any], when: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
    """Return *function* followed by the end of the process, if *when* says so of its arguments."""

    def dying(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        if when(*arguments):
            die()
        return result

    return dying


async def apply_once(ledger: Ledger, step: str, targets: tuple[str, ...]) -> None:
    """Apply the simulation that the ledger holds, and die at *step*."""
    if step == "before":
        apply_module.judged = after(apply_module.judged)
    elif step == "key":
        apply_module._keep_answer = after(apply_module._keep_answer)
    elif step in {"application", "receipt"}:
        Transaction.add = after(Transaction.add, lambda _, entry: entry.kind == step)  # type: ignore[method-assign]
    elif step == "outbox":
        outbox.enqueue = after(outbox.enqueue)
    source = await find_source(ledger, "sim_1")
    await applied(ledger, source, account(), targets=targets)
    if step == "committed":
        die()


async def send_all(ledger: Ledger, step: str, target: str) -> None:
    """Empty the outbox to *target*, and die at *step*."""
    connectors = make_connectors(target, None, time.time)
    worker = OutboxWorker(
        ledger, connectors, lambda: dt.datetime(2030, 1, 1, tzinfo=dt.UTC), time.time, Retries()
    )
    if step == "claimed":
        connector = next(iter(connectors.values()))
        connector.deliver = lambda _: die()  # type: ignore[method-assign,assignment,return-value]
    elif step == "sent":
        outbox.mark_delivered = lambda *_: die()
    elif step == "marked":
        outbox.mark_delivered = after(outbox.mark_delivered)
    await worker.drain()


async def main(folder: Path, step: str) -> None:
    """Do what leads to *step*, in *folder*."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}", timeout_seconds=20)
    await ledger.open()
    target = f"file:{folder / 'effects.jsonl'}"
    if step in SEND_STEPS:
        await send_all(ledger, step, target)
    else:
        await apply_once(ledger, step, (target,))
    await ledger.close()


def start(folder: Path, step: str) -> int:
    """Return the id of a new process that goes on from here, with all imports done."""
    process = os.fork()
    if process == 0:
        asyncio.run(main(folder / step, step))
        os._exit(0)
    return process


if __name__ == "__main__":
    processes = {step: start(Path(sys.argv[1]), step) for step in sys.argv[2:]}
    ends = {step: os.waitpid(process, 0)[1] for step, process in processes.items()}
    sys.stdout.write(json.dumps({step: os.WTERMSIG(end) for step, end in ends.items()}))
