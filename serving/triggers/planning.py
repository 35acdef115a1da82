"""What is due for an account: a pure function of the rules, its values, its workflows and the time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.triggers.workflow import OPEN, Workflow, done_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from serving.decisions.policy.fields import Value
    from serving.triggers.compiled import CompiledPlaybook, Playbooks
    from serving.triggers.conditions import CompiledTrigger
    from serving.triggers.document import Playbook, Step


@dataclass(frozen=True, slots=True)
class Due:
    """A step that is to be tried now.

    Attributes:
        workflow: The workflow; of one that is about to be started, not on record yet.
        playbook: Its playbook, as it is now.
        step: The step.
    """

    workflow: Workflow
    playbook: CompiledPlaybook
    step: Step


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about one account at one time.

    Attributes:
        ends: Workflows that have reached their aim.
        due: Steps of open workflows that are to be tried.
        starts: Triggers whose workflows are to be started.
        fired: Triggers that fire, those that start nothing too.
        resting: Whether a workflow did something to the account lately, so that nothing is tried now.
        unknown: Triggers that could not be told, each with a field that is not known.
    """

    ends: tuple[Workflow, ...]
    due: tuple[Due, ...]
    starts: tuple[CompiledTrigger, ...]
    fired: tuple[str, ...]
    resting: bool
    unknown: tuple[tuple[str, str], ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.ends or self.due or self.starts)


def plan(
    playbooks: Playbooks,
    values: Mapping[str, Value],
    workflows: Sequence[Workflow],
    now: dt.datetime,
    *,
    fresh: bool,
) -> Plan:
    """Return what is to be done about one account.

    Args:
        playbooks: The rules.
        values: What they look at.
        workflows: The account's workflows, as far back as `Playbooks.longest_days`.
        now: The time.
        fresh: Whether the account's features are of today; on old ones nothing is started, tried or ended.
    """
    if not fresh:
        return Plan((), (), (), (), resting=False, unknown=())
    still_open = [one for one in workflows if one.state(now) == OPEN]
    ends = tuple(
        one
        for one in still_open
        if (found := playbooks.playbooks.get(one.playbook)) is not None and found.reached(values)
    )
    going_on = [one for one in still_open if one not in ends]
    fired, starts, unknown = [], [], []
    taken = {one.playbook for one in still_open}
    for trigger in playbooks.triggers:
        missing = trigger.unknown(values)
        if missing is not None:
            unknown.append((trigger.trigger.id, missing))
        if not trigger.fires(values):
            continue
        fired.append(trigger.trigger.id)
        playbook = trigger.trigger.playbook
        if playbook not in taken and may_start(trigger, playbooks, values, workflows, now):
            starts.append(trigger)
            taken.add(playbook)
    due = [
        Due(one, found, step)
        for one in going_on
        if (found := playbooks.playbooks.get(one.playbook)) is not None
        and (step := due_step(found.playbook, one, now)) is not None
    ]
    rest = dt.timedelta(hours=playbooks.document.rest_hours)
    resting = bool(done_within(workflows, rest, now))
    tried = () if resting else tuple(due)
    return Plan(ends, tried, tuple(starts), tuple(fired), resting=resting, unknown=tuple(unknown))


def in_order(due: Iterable[Due], playbooks: Playbooks) -> list[Due]:
    """Return the steps that are *due* in the order of the triggers; what began earlier goes before."""
    places = {trigger.trigger.id: place for place, trigger in enumerate(playbooks.triggers)}
    return sorted(
        due, key=lambda one: (places.get(one.workflow.trigger, len(places)), one.workflow.started_at)
    )


def may_start(
    trigger: CompiledTrigger,
    playbooks: Playbooks,
    values: Mapping[str, Value],
    workflows: Iterable[Workflow],
    now: dt.datetime,
) -> bool:
    """Return whether *trigger*, which fires, starts its playbook: it rests no more, and there is an aim to reach."""
    rest = dt.timedelta(days=trigger.trigger.cooldown_days)
    resting = any(one.trigger == trigger.trigger.id and now < one.started_at + rest for one in workflows)
    return not resting and not playbooks.playbooks[trigger.trigger.playbook].reached(values)


def due_step(playbook: Playbook, workflow: Workflow, now: dt.datetime) -> Step | None:
    """Return the step of *workflow* that is to be tried now: the last one whose day has come, if it is not done."""
    come = [
        step for step in playbook.steps if now >= workflow.started_at + dt.timedelta(days=step.after_days)
    ]
    return come[-1] if come and not workflow.done(come[-1].key) else None
