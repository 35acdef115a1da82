"""Workflows in the ledger, in each database: written once, read for many accounts at once."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

from serving.triggers.compiled import Playbooks
from serving.triggers.document import PlaybooksDocument
from serving.triggers.records import (
    end_workflow,
    read_workflows,
    record_step,
    start_workflow,
    tasks_since,
)
from tests.serving.decisions.frames import frame
from tests.serving.triggers.services import CATALOGUE, document
from tests.serving.triggers.worlds import FIELDS

if TYPE_CHECKING:
    from serving.ledger.ledger import Ledger
    from serving.triggers.workflow import Workflow

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
RULES = Playbooks(PlaybooksDocument.model_validate(document()), FIELDS, CATALOGUE)
VALUES = RULES.values(frame(features={"account_age_days": 400}), CATALOGUE)
STEP: dict[str, Any] = {
    "step": "first",
    "outcome": "nothing",
    "action": None,
    "reason": {"code": "x", "text": "x"},
}
AWKWARD = "zoë's \N{ROCKET}"


async def started(ledger: Ledger, account_id: str, at: dt.datetime = NOW) -> Workflow | None:
    """Start the one trigger's workflow for an account."""
    return await ledger.transact(
        lambda transaction: start_workflow(transaction, RULES, RULES.triggers[0], account_id, VALUES, at)
    )


async def make_task(ledger: Ledger, queue: str, at: dt.datetime) -> None:
    """Start a workflow on an account of its own, and let its step be a task."""
    account = f"{queue} at {at}"
    workflow = await started(ledger, account, at)
    assert workflow is not None
    content, task = {**STEP, "outcome": "task"}, {"queue": queue, "step": "first"}
    await ledger.transact(
        lambda transaction: record_step(transaction, workflow, account, content, at, task=task)
    )


async def of(ledger: Ledger, *account_ids: str, since: dt.datetime = NOW) -> dict[str, list[Workflow]]:
    """Return the workflows of accounts."""
    return await ledger.look(lambda transaction: read_workflows(transaction, account_ids, since))


async def test_of_ten_concurrent_starts_one_is_written(ledger: Ledger) -> None:
    """The others learn that they were late; another account is another matter."""
    found = await asyncio.gather(*(started(ledger, AWKWARD) for _ in range(10)))
    (one,) = [workflow for workflow in found if workflow is not None]
    assert await started(ledger, "other") is not None
    read = await of(ledger, AWKWARD, "other", "nobody")
    assert [workflow.workflow_id for workflow in read[AWKWARD]] == [one.workflow_id]
    assert set(read) == {AWKWARD, "other"}
    assert read[AWKWARD][0].content == one.content


async def test_what_became_of_a_step_is_written_once(ledger: Ledger) -> None:
    """Nothing may be followed by something, and that by nothing more."""
    workflow = await started(ledger, AWKWARD)
    assert workflow is not None
    applied = {**STEP, "outcome": "applied", "action": "note"}
    task = {"queue": "sales", "step": "first"}

    async def write(content: dict[str, Any], **more: Any) -> bool:
        recorded = await ledger.transact(
            lambda transaction: record_step(transaction, workflow, AWKWARD, content, NOW, **more)
        )
        return recorded is not None

    assert [await write(STEP), await write(STEP)] == [True, False]
    (read,) = (await of(ledger, AWKWARD))[AWKWARD]
    assert (len(read.nothings("first")), read.done("first")) == (1, False)
    assert await write({**applied, "outcome": "task"}, task=task, targets=("log",))
    assert [await write(applied), await write(STEP)] == [False, False]
    (read,) = (await of(ledger, AWKWARD))[AWKWARD]
    assert read.done("first")
    assert [one["queue"] for one in read.tasks] == ["sales"]


async def test_an_end_is_written_once(ledger: Ledger) -> None:
    """Afterwards the workflow is no longer open."""
    workflow = await started(ledger, AWKWARD)
    assert workflow is not None
    ends = [
        await ledger.transact(lambda transaction: end_workflow(transaction, workflow, AWKWARD, NOW))
        for _ in range(2)
    ]
    assert ends == [True, False]
    (read,) = (await of(ledger, AWKWARD))[AWKWARD]
    assert read.state(NOW) == "aim_reached"
    assert read.to_dict(NOW)["ended_at"] == "2026-03-02T12:00:00Z"


async def test_workflows_are_read_as_far_back_as_asked_and_in_order(ledger: Ledger) -> None:
    """Of many accounts in one question, also of more than fit into one statement."""
    names = [f"acme-{number}" for number in range(450)]
    for name in (names[0], names[-1]):
        await started(ledger, name, NOW)
        await started(ledger, name, NOW + dt.timedelta(days=40))
    every = await of(ledger, *names)
    assert {name: len(found) for name, found in every.items()} == {names[0]: 2, names[-1]: 2}
    assert [one.started_at for one in every[names[0]]] == [NOW, NOW + dt.timedelta(days=40)]
    late = await of(ledger, *names, since=NOW + dt.timedelta(days=1))
    assert {name: len(found) for name, found in late.items()} == {names[0]: 1, names[-1]: 1}


async def test_tasks_are_counted_by_queue(ledger: Ledger) -> None:
    """From a time on."""
    for day, queue in ((0, "sales"), (1, "sales"), (1, "billing")):
        await make_task(ledger, queue, NOW + dt.timedelta(days=day))
    counted = await ledger.look(lambda transaction: tasks_since(transaction, NOW + dt.timedelta(hours=1)))
    assert counted == {"sales": 1, "billing": 1}
