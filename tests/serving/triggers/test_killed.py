"""`kill -9` at each step of a run: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from serving.actions import outbox
from serving.bundle.store import find_bundle
from serving.triggers.runner import run_triggers
from tests.serving.triggers.killed import STEPS
from tests.serving.triggers.services import entries_of, make_unattended
from tests.serving.triggers.worlds import free_accounts, service

if TYPE_CHECKING:
    from serving.state import ServingState
    from tests.serving.conftest import World

ROOT = Path(__file__).resolve().parents[3]
WRITTEN = {
    "before": (0, 0, 0), "workflow": (0, 0, 0), "started": (1, 0, 0), "decided": (1, 0, 0), "receipt": (1, 0, 0),
    "applied": (1, 1, 0), "step": (1, 1, 0), "done": (1, 1, 1),
}  # fmt: skip
"""How many workflows, receipts and steps there are when the process has died at a step."""


async def counted(state: ServingState, account_id: str) -> tuple[int, int, int]:
    """Return how many workflows, receipts and steps there are."""
    found = await entries_of(state, account_id)
    return len(found["workflow"]), len(found["receipt"]), len(found["workflow_step"])


async def test_a_run_killed_at_any_step_is_finished_by_the_next(world: World, tmp_path: Path) -> None:
    """With one workflow, one receipt and one effect, wherever it was killed."""
    async with contextlib.AsyncExitStack() as stack:
        states = {step: await stack.enter_async_context(service(world, tmp_path / step)) for step in STEPS}
        (account,) = free_accounts(states["before"], world, 1)
        for state in states.values():
            await make_unattended(state)
        spec = {
            "settings": {step: state.settings.model_dump(mode="json") for step, state in states.items()},
            "bundle": str(find_bundle(world.tag, world.home / "models")),
            "account": account,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.serving.triggers.killed", json.dumps(spec), *STEPS,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await process.communicate()
        assert json.loads(out or b"null") == dict.fromkeys(STEPS, signal.SIGKILL), error.decode()
        for step, state in states.items():
            assert await counted(state, account) == WRITTEN[step], step
            for _ in range(2):
                await run_triggers(state, [account])
            assert await counted(state, account) == (1, 1, 1), step
            assert (await state.ledger.look(outbox.counts))["pending"] == 1, step
