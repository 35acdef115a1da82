"""Workflows in the ledger: read for many accounts at once, and written so that concurrent runs do nothing twice.

Ids are random, not made of the account: what was erased can't be told by trying accounts. That a workflow starts
once is seen to within the transaction, of which the ledger lets only one write at a time.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson
import sqlalchemy as sa

from serving.actions import outbox
from serving.actions.events import SOURCE, Event
from serving.decisions.decision import utc_text
from serving.ledger.documents import Document, put_documents
from serving.ledger.entry import Entry, to_microseconds
from serving.ledger.tables import ACCOUNT_NAMES, CONTENTS, ENTRIES
from serving.ledger.transaction import entry_of, name_bytes
from serving.triggers.planning import may_start
from serving.triggers.workflow import (
    AIM_REACHED,
    END,
    KINDS,
    NOTHING,
    OPEN,
    STEP,
    TASK,
    WORKFLOW,
    Workflow,
    planned,
    workflows_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.decisions.catalogue import Catalogue
    from serving.decisions.policy.fields import Value
    from serving.ledger.entry import Prepared
    from serving.ledger.transaction import Transaction
    from serving.triggers.compiled import Playbooks
    from serving.triggers.conditions import CompiledTrigger

TASK_EVENT: Final = "keepgrow.task.created"
_ID_BYTES: Final = 16
_IN_ONE_QUESTION: Final = 200
"""Accounts that one question to the database names; SQLite takes some thousand values."""


def read_workflows(
    transaction: Transaction, account_ids: Sequence[str], since: dt.datetime
) -> dict[str, list[Workflow]]:
    """Return the workflows of each account that have begun at *since* or later; of accounts without, nothing.

    Args:
        transaction: Where to read.
        account_ids: The accounts.
        since: How far back to look; aware.
    """
    entries: dict[str, list[Entry]] = {}
    names = [name_bytes(account_id) for account_id in account_ids]
    for start in range(0, len(names), _IN_ONE_QUESTION):
        wanted = (
            sa.select(
                ENTRIES.c.kind,
                ENTRIES.c.record_id,
                ENTRIES.c.at_us,
                CONTENTS.c.account_id,
                CONTENTS.c.content,
            )
            .join(ACCOUNT_NAMES, ACCOUNT_NAMES.c.pseudonym == ENTRIES.c.account)
            .join(CONTENTS, CONTENTS.c.seq == ENTRIES.c.seq)
            .where(
                ACCOUNT_NAMES.c.account_id.in_(names[start : start + _IN_ONE_QUESTION]),
                ENTRIES.c.kind.in_(KINDS),
                ENTRIES.c.at_us >= to_microseconds(since),
                CONTENTS.c.content.is_not(None),
            )
            .order_by(ENTRIES.c.seq)
        )
        for row in transaction.connection.execute(wanted):
            entry = entry_of(row)
            if entry.account_id is not None:
                entries.setdefault(entry.account_id, []).append(entry)
    return {account_id: workflows_of(found) for account_id, found in entries.items()}


def tasks_since(transaction: Transaction, since: dt.datetime) -> Counter[str]:
    """Return how many tasks were made at *since* or later, by queue."""
    wanted = (
        sa.select(CONTENTS.c.content)
        .join(ENTRIES, ENTRIES.c.seq == CONTENTS.c.seq)
        .where(
            ENTRIES.c.kind == TASK,
            ENTRIES.c.at_us >= to_microseconds(since),
            CONTENTS.c.content.is_not(None),
        )
    )
    return Counter(orjson.loads(row.content)["queue"] for row in transaction.connection.execute(wanted))


def start_workflow(
    transaction: Transaction,
    playbooks: Playbooks,
    trigger: CompiledTrigger,
    account_id: str,
    values: Mapping[str, Value],
    now: dt.datetime,
) -> Workflow | None:
    """Write that *trigger* starts its playbook, unless another run has just done so; return the workflow or None."""
    since = now - dt.timedelta(days=playbooks.longest_days)
    workflows = read_workflows(transaction, [account_id], since).get(account_id, [])
    rule = trigger.trigger
    if any(one.playbook == rule.playbook and one.state(now) == OPEN for one in workflows) or not may_start(
        trigger, playbooks, values, workflows, now
    ):
        return None
    workflow = planned(playbooks, trigger, account_id, values, now, f"wfl_{secrets.token_hex(_ID_BYTES)}")
    transaction.add(Entry(WORKFLOW, workflow.workflow_id, account_id, now, workflow.content))
    return workflow


def end_workflow(transaction: Transaction, workflow: Workflow, account_id: str, now: dt.datetime) -> bool:
    """Write that *workflow* has reached its aim; return whether that is news."""
    if transaction.has(END, workflow.workflow_id):
        return False
    content = {"workflow_id": workflow.workflow_id, "ended_at": utc_text(now), "reason": AIM_REACHED}
    transaction.add(Entry(END, workflow.workflow_id, account_id, now, content))
    return True


def record_decision(transaction: Transaction, decision: Prepared, catalogue: Catalogue) -> None:
    """Write the *decision* of a step, unless it is there, and the *catalogue* of the step, so that it can be replayed.

    Raises:
        EntryExists: Another decision has its id.
    """
    put_documents(transaction.connection, [Document("catalogue", catalogue.hash, catalogue.canonical)])
    if not transaction.holds(decision):
        transaction.add_all([decision])


def step_id(workflow_id: str, step: str) -> str:
    """Return the name of a step: of its entry, and of the one request to apply that it makes."""
    return f"{workflow_id}:{step}"


def record_step(
    transaction: Transaction,
    workflow: Workflow,
    account_id: str,
    content: Mapping[str, Any],
    now: dt.datetime,
    *,
    task: Mapping[str, Any] | None = None,
    targets: Sequence[str] = (),
) -> Mapping[str, Any] | None:
    """Write what became of a step, once, with the task that it makes and the event that tells of it.

    Args:
        transaction: Where to write.
        workflow: The workflow.
        account_id: The account.
        content: The step, its outcome and why; one that came to nothing is written again when the reason is another.
        now: The time.
        task: What people are asked to do, without its id.
        targets: Where the event goes.

    Returns:
        What was written; None if another run was quicker, and then nothing is.
    """
    name = step_id(workflow.workflow_id, str(content["step"]))
    if transaction.has(STEP, name):
        return None
    if content["outcome"] == NOTHING:
        number = len(workflow.nothings(str(content["step"])))
        name = f"{name}:{number + 1}"
        if transaction.has(STEP, name):
            return None
    recorded = {"workflow_id": workflow.workflow_id, **content, "at": utc_text(now)}
    if task is not None:
        task_id = f"tsk_{secrets.token_hex(_ID_BYTES)}"
        made = {"task_id": task_id, "workflow_id": workflow.workflow_id, **task, "made_at": utc_text(now)}
        recorded["task_id"] = task_id
        transaction.add(Entry(TASK, task_id, account_id, now, made))
        outbox.enqueue(transaction, [task_event(made, account_id, now)], task_id, targets, now)
    transaction.add(Entry(STEP, name, account_id, now, recorded))
    return recorded


def task_event(task: Mapping[str, Any], account_id: str, now: dt.datetime) -> Event:
    """Return what tells other systems of a new task, as a CloudEvent."""
    event_id = f"evt_{secrets.token_hex(_ID_BYTES)}"
    document = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": TASK_EVENT,
        "subject": account_id,
        "time": utc_text(now),
        "datacontenttype": "application/json",
        "data": {"task": dict(task)},
    }
    return Event(event_id, TASK_EVENT, account_id, orjson.dumps(document), now)
