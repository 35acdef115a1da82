"""Workflows as the ledger tells them: pure functions of entries and the time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from serving.decisions.decision import utc_text
from serving.triggers.conditions import LIFECYCLE_STAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.decisions.policy.fields import Value
    from serving.ledger.entry import Entry
    from serving.triggers.compiled import Playbooks
    from serving.triggers.conditions import CompiledTrigger

WORKFLOW: Final = "workflow"
STEP: Final = "workflow_step"
TASK: Final = "task"
END: Final = "workflow_end"
KINDS: Final = (WORKFLOW, STEP, TASK, END)
APPLIED: Final = "applied"
TASKED: Final = "task"
NOTHING: Final = "nothing"
AIM_REACHED: Final = "aim_reached"
OVER: Final = "over"
OPEN: Final = "open"


@dataclass(slots=True)
class Workflow:
    """One workflow of an account, as entries tell it.

    Attributes:
        workflow_id: Its id.
        started_at: When it was started.
        content: What was recorded when it was started.
        steps: What became of its steps, in the order in which it was recorded.
        tasks: The tasks that it made for people.
        end: What was recorded when it reached its aim; None while it has not.
    """

    workflow_id: str
    started_at: dt.datetime
    content: Mapping[str, Any]
    steps: list[Mapping[str, Any]] = field(default_factory=list)
    tasks: list[Mapping[str, Any]] = field(default_factory=list)
    end: Mapping[str, Any] | None = None

    @property
    def trigger(self) -> str:
        """Id of the trigger that started it."""
        return str(self.content["trigger"])

    @property
    def playbook(self) -> str:
        """Key of its playbook."""
        return str(self.content["playbook"])

    @property
    def ends_at(self) -> dt.datetime:
        """When its time is over."""
        return dt.datetime.fromisoformat(self.content["ends_at"])

    def state(self, now: dt.datetime) -> str:
        """Return `open`, `aim_reached` or `over`."""
        if self.end is not None:
            return AIM_REACHED
        return OPEN if now < self.ends_at else OVER

    def done(self, step: str) -> bool:
        """Return whether the step with this key was applied or made a task."""
        return any(one["step"] == step and one["outcome"] != NOTHING for one in self.steps)

    def nothings(self, step: str) -> list[Mapping[str, Any]]:
        """Return how often, and why, the step with this key came to nothing."""
        return [one for one in self.steps if one["step"] == step and one["outcome"] == NOTHING]

    def to_dict(self, now: dt.datetime) -> dict[str, Any]:
        """Return the workflow as the API shows it."""
        return {
            **self.content,
            "state": self.state(now),
            "ended_at": self.end["ended_at"]
            if self.end
            else (utc_text(self.ends_at) if now >= self.ends_at else None),
            "steps": list(self.steps),
            "tasks": list(self.tasks),
        }


def workflows_of(entries: Iterable[Entry]) -> list[Workflow]:
    """Return the workflows that *entries* (oldest first) of one account tell, in the order of their starts."""
    found: dict[str, Workflow] = {}
    for entry in entries:
        if entry.kind == WORKFLOW:
            found[entry.record_id] = Workflow(entry.record_id, entry.at, entry.content)
            continue
        workflow = found.get(entry.content["workflow_id"])
        if workflow is None:  # it began before what was looked at
            continue
        if entry.kind == STEP:
            workflow.steps.append(entry.content)
        elif entry.kind == TASK:
            workflow.tasks.append(entry.content)
        else:
            workflow.end = entry.content
    return list(found.values())


def planned(
    playbooks: Playbooks,
    trigger: CompiledTrigger,
    account_id: str,
    values: Mapping[str, Value],
    now: dt.datetime,
    workflow_id: str = "wfl_not_started",
) -> Workflow:
    """Return the workflow that *trigger* starts, as it is recorded: with what it read and all that it is to do."""
    rule = trigger.trigger
    playbook = playbooks.playbooks[rule.playbook].playbook
    content = {
        "workflow_id": workflow_id,
        "account_id": account_id,
        "trigger": rule.id,
        "playbook": rule.playbook,
        "queue": rule.queue,
        "text": trigger.text(values),
        "when": rule.when,
        "values": trigger.read(values),
        "lifecycle_stage": values[LIFECYCLE_STAGE],
        "started_at": utc_text(now),
        "ends_at": utc_text(now + dt.timedelta(days=playbook.days)),
        "until": playbook.until,
        "plan": [
            {
                "step": step.key,
                "actions": list(step.actions),
                "due_at": utc_text(now + dt.timedelta(days=step.after_days)),
            }
            for step in playbook.steps
        ],
        "playbooks": playbooks.hash,
    }
    return Workflow(workflow_id, now, content)


def done_within(workflows: Iterable[Workflow], span: dt.timedelta, now: dt.datetime) -> frozenset[str]:
    """Return the actions that workflows of the account applied, or made tasks of, within the *span* before *now*."""
    since = now - span
    return frozenset(
        str(step["action"])
        for workflow in workflows
        for step in workflow.steps
        if step["outcome"] != NOTHING and dt.datetime.fromisoformat(step["at"]) > since
    )
