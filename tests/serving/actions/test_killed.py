"""`kill -9` at each step of apply and of sending: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from serving.actions import outbox
from serving.actions.connectors import make_connectors
from serving.actions.worker import LEASE_SECONDS, OutboxWorker, Retries
from serving.ledger.ledger import Ledger
from tests.serving.actions.killed import APPLY_STEPS, SEND_STEPS
from tests.serving.actions.worlds import account, applied, simulated

if TYPE_CHECKING:
    from serving.ledger.transaction import Transaction

ROOT = Path(__file__).resolve().parents[3]


async def opened(folder: Path) -> Ledger:
    """Return the ledger in *folder*."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}", timeout_seconds=20)
    await ledger.open()
    return ledger


async def killed_at(folder: Path, *steps: str) -> None:
    """Let a process for each of *steps*, on the ledger in *folder*/STEP, die at it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.serving.actions.killed", str(folder), *steps,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    assert json.loads(out or b"null") == dict.fromkeys(steps, signal.SIGKILL), error.decode()


def everything(transaction: Transaction) -> dict[str, int]:
    """Return how many receipts, applications and effects there are."""
    kinds = ("receipt", "application")
    entries = transaction.of_account(account().account_id, kinds)
    counted = {kind: sum(entry.kind == kind for entry in entries) for kind in kinds}
    return {**counted, "effects": sum(outbox.counts(transaction).values())}


async def test_a_process_killed_at_any_step_of_apply_leaves_all_or_nothing(tmp_path: Path) -> None:
    """Then the same request with the same key ends with one receipt and one effect."""
    ledgers = {step: await opened(tmp_path / step) for step in APPLY_STEPS}
    sources = {step: await simulated(ledger, "add_seats", account()) for step, ledger in ledgers.items()}
    await killed_at(tmp_path, *APPLY_STEPS)
    for step, ledger in ledgers.items():
        done = int(step == "committed")
        assert await ledger.look(everything) == {"receipt": done, "application": done, "effects": done}, step
        target = (f"file:{tmp_path / step / 'effects.jsonl'}",)
        first = await applied(ledger, sources[step], account(), targets=target)
        assert await applied(ledger, sources[step], account(), targets=target) == first
        assert await ledger.look(everything) == {"receipt": 1, "application": 1, "effects": 1}, step
        await ledger.close()


async def test_a_process_killed_at_any_step_of_sending_loses_no_effect(tmp_path: Path) -> None:
    """The next worker goes on once the lease is over; what is in the file already does not come again."""
    files = {step: tmp_path / step / "effects.jsonl" for step in SEND_STEPS}
    ledgers = {step: await opened(tmp_path / step) for step in SEND_STEPS}
    for step, ledger in ledgers.items():
        source = await simulated(ledger, "add_seats", account())
        await applied(ledger, source, account(), targets=(f"file:{files[step]}",))
    await killed_at(tmp_path, *SEND_STEPS)
    for step, ledger in ledgers.items():
        connectors = make_connectors(f"file:{files[step]}", None, time.time)
        ahead = [0.0]
        worker = OutboxWorker(
            ledger,
            connectors,
            lambda: dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
            lambda ahead=ahead: time.time() + ahead[0],
            Retries(),
        )
        assert (await worker.drain()).total == 0, "the dead process still holds the lease"
        ahead[0] = LEASE_SECONDS + 1
        await worker.drain()
        assert (await ledger.look(outbox.counts))["delivered"] == 1, step
        assert len(files[step].read_text().splitlines()) == 1, step
        await ledger.close()
