"""Processes that run triggers and are killed (SIGKILL) each at a step of its own.

`python -m tests.serving.triggers.killed SPEC STEP...`, where SPEC is JSON with the settings of each step, the folder of
the bundle and the account, starts a process for each step and prints by which signal each ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from serving.ledger.ledger import Ledger
from serving.ledger.transaction import Transaction
from serving.settings import ServingSettings
from serving.triggers import steps
from serving.triggers.runner import run_triggers
from tests.serving.actions.killed import after, die
from tests.serving.triggers.services import opened

STEPS: Final = ("before", "workflow", "started", "decided", "receipt", "applied", "step", "done")


def die_at(step: str) -> None:
    """Let this process end at *step*."""
    if step == "before":
        Ledger.look = lambda *_: die()  # type: ignore[method-assign,assignment]
    elif step in {"workflow", "receipt"}:  # within the transaction that writes it
        Transaction.add = after(Transaction.add, lambda _, entry: entry.kind == step)  # type: ignore[method-assign]
    elif step == "step":
        Transaction.add = after(  # type: ignore[method-assign]
            Transaction.add, lambda _, entry: entry.kind == "workflow_step"
        )
    elif step == "started":
        steps.repeated_answer = lambda *_: die()  # type: ignore[attr-defined,assignment]
    elif step == "decided":
        steps.read_source = lambda *_: die()  # type: ignore[attr-defined,assignment]
    elif step == "applied":
        steps._record_applied = lambda *_: die()  # type: ignore[assignment]


async def main(spec: dict[str, Any], step: str) -> None:
    """Run the trigger over one account, in the folder of *step*, and die at it."""
    settings = ServingSettings.model_validate(spec["settings"][step])
    async with opened(settings, Path(spec["bundle"])) as state:
        die_at(step)
        await run_triggers(state, [spec["account"]])
        die()


def start(spec: dict[str, Any], step: str) -> int:
    """Return the id of a new process that goes on from here, with all imports done."""
    process = os.fork()
    if process == 0:
        asyncio.run(main(spec, step))
        os._exit(0)
    return process


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    processes = {step: start(wanted, step) for step in sys.argv[2:]}
    ends = {step: os.waitpid(process, 0)[1] for step, process in processes.items()}
    sys.stdout.write(json.dumps({step: os.WTERMSIG(end) for step, end in ends.items()}))
