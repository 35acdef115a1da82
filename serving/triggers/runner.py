"""Goes over accounts: reads and scores them many at a time, and starts, continues and ends their workflows."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.errors import UnknownAccount
from serving.reading import count_scores, read_features, statuses_of
from serving.scoring.engine import score_rows
from serving.triggers.choice import Choice
from serving.triggers.planning import Due, Plan, due_step, in_order, plan
from serving.triggers.records import end_workflow, read_workflows, start_workflow, tasks_since
from serving.triggers.run import Run
from serving.triggers.steps import Tried, batch_frame, look_at_step, make_task, record_nothing, try_step
from serving.triggers.workflow import NOTHING, TASKED, Workflow, planned

if TYPE_CHECKING:
    from serving.decisions.frame import DecisionFrame
    from serving.state import ServingState
    from serving.triggers.conditions import CompiledTrigger

AT_A_TIME: Final = 200
"""Accounts that are read and scored at a time."""
SIDE_BY_SIDE: Final = 8
"""Accounts whose workflows are worked on at the same time; what they record is committed together."""
GIVE_WAY: Final = 8
"""After so many accounts other requests have their turn."""
STALE: Final = "stale"
QUEUE_FULL: Final = "queue_full"

Progress = Callable[[int], None]


async def run_triggers(
    state: ServingState,
    account_ids: Sequence[str],
    *,
    dry: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Start, continue and end the workflows of *account_ids* as of the service's time.

    A run that was stopped, or runs beside another, is simply repeated: what is on record is not done again.

    Args:
        state: The service's parts.
        account_ids: The accounts.
        dry: Only look: nothing is recorded, and nothing done.
        progress: Told how many more accounts were looked at.

    Raises:
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The ledger did not.
    """
    run = Run(state.clock.now(), dry)
    for trigger in state.playbooks.triggers:
        run.counts[trigger.trigger.id] = Counter()
    waiting: list[_Waiting] = []
    for part in _parts(account_ids):
        await _part(state, run, part, waiting)
        if progress is not None:
            progress(len(part))
    await _hand_out(state, run, waiting)
    return run


async def _hand_out(state: ServingState, run: Run, waiting: list[_Waiting]) -> None:
    """Make tasks of what waits, what is worth most first, as many as each queue takes within a day.

    Runs that end at the same moment may each find the same room.
    """
    most = state.playbooks.document.tasks_a_day
    if not waiting:
        return
    midnight = run.at.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    made = await state.ledger.look(lambda transaction: tasks_since(transaction, midnight))
    for one in sorted(waiting, key=lambda one: (-one.choice.worth, one.frame.account_id)):
        queue = str(one.due.workflow.content["queue"])
        if queue in most and made[queue] >= most[queue]:
            text = f"The queue {queue} has taken its {most[queue]} tasks of the day"
            choice = dataclasses.replace(
                one.choice, outcome=NOTHING, code=QUEUE_FULL, text=text, decision=None
            )
            tried = _seen(choice) if run.dry else await record_nothing(state, one.due, one.frame, choice)
        else:
            tried = _seen(one.choice) if run.dry else await make_task(state, one.due, one.frame, one.choice)
            made[queue] += tried.news
        one.account.note(one.due, tried)


def _seen(choice: Choice) -> Tried:
    """Return what *choice* would be, of a run that only looks."""
    return Tried(choice.outcome, choice.code, choice.text, choice.key)


def _parts(account_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(account_ids), AT_A_TIME):
        yield account_ids[start : start + AT_A_TIME]


async def _part(state: ServingState, run: Run, account_ids: Sequence[str], waiting: list[_Waiting]) -> None:
    rows = await read_features(state, account_ids)
    now = state.clock.now()
    score = functools.partial(score_rows, rows, state.bundle, now, state.clock.label, outlook=True)
    results = await asyncio.get_running_loop().run_in_executor(state.threads, score)
    count_scores(state, rows, statuses_of(results), now.timestamp())
    since = now - dt.timedelta(days=state.playbooks.longest_days)
    workflows = await state.ledger.look(lambda transaction: read_workflows(transaction, account_ids, since))
    working: set[asyncio.Task[None]] = set()
    try:
        for index, result in enumerate(results):
            run.accounts += 1
            if isinstance(result, UnknownAccount):
                run.unknown.append(result.account_id)
                continue
            if index % GIVE_WAY == 0:
                await asyncio.sleep(0)
            frame = state.frames.frame(rows, index, result, now=now)
            one = _Account(state, run, frame, workflows.get(frame.account_id, []), waiting)
            if one.plan.empty:
                continue
            if len(working) >= SIDE_BY_SIDE:
                done, working = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            working.add(asyncio.create_task(one.work()))
        await asyncio.gather(*working)
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A step for which people are to be asked."""

    account: _Account
    due: Due
    frame: DecisionFrame
    choice: Choice


class _Account:
    """One account in a run."""

    def __init__(
        self,
        state: ServingState,
        run: Run,
        frame: DecisionFrame,
        workflows: list[Workflow],
        waiting: list[_Waiting],
    ) -> None:
        self._state = state
        self._run = run
        self._frame = frame
        self._workflows = workflows
        self._waiting = waiting
        self._values = state.playbooks.values(frame, state.catalogue)
        fresh = frame.evidence_status != STALE
        self.plan: Plan = plan(state.playbooks, self._values, workflows, frame.now, fresh=fresh)
        run.stale += not fresh
        for trigger, _field in self.plan.unknown:
            run.count(trigger, "unknown")
        for trigger in self.plan.fired:
            run.count(trigger, "fired")

    async def work(self) -> None:
        """Do what is planned; of several steps that are due, the first that comes to anything."""
        for workflow in self.plan.ends:
            await self._end(workflow)
        due = list(self.plan.due)
        for trigger in self.plan.starts:
            started = await self._start(trigger)
            if started is not None:
                playbook = self._state.playbooks.playbooks[started.playbook]
                step = due_step(playbook.playbook, started, self._frame.now)
                if step is not None:
                    due.append(Due(started, playbook, step))
        if self.plan.resting or not due:
            return
        frame = await batch_frame(self._state, self._frame)
        for one in in_order(due, self._state.playbooks):
            if await self._try(one, frame) != NOTHING:
                break

    async def _end(self, workflow: Workflow) -> None:
        if not self._run.dry:
            frame = self._frame
            news = await self._state.ledger.transact(
                lambda transaction: end_workflow(transaction, workflow, frame.account_id, frame.now)
            )
            if not news:
                return
        self._run.count(workflow.trigger, "ended")
        self._note(workflow, "ended", None, "aim_reached", "The playbook's aim is reached")

    async def _start(self, trigger: CompiledTrigger) -> Workflow | None:
        playbooks, values, frame = self._state.playbooks, self._values, self._frame
        if self._run.dry:
            workflow: Workflow | None = planned(playbooks, trigger, frame.account_id, values, frame.now)
        else:
            workflow = await self._state.ledger.transact(
                lambda transaction: start_workflow(
                    transaction, playbooks, trigger, frame.account_id, values, frame.now
                )
            )
        if workflow is not None:
            self._run.count(trigger.trigger.id, "started")
            self._note(workflow, "started", None, trigger.trigger.id, workflow.content["text"])
        return workflow

    async def _try(self, due: Due, frame: DecisionFrame) -> str:
        """Try a step; return what it comes to."""
        result: Tried | Choice
        if self._run.dry:
            result = look_at_step(self._state, due, frame, self._workflows)
            if result.outcome != TASKED:
                result = _seen(result)
        else:
            result = await try_step(self._state, due, frame, self._workflows)
        if isinstance(result, Choice):
            self._waiting.append(_Waiting(self, due, frame, result))
        else:
            self.note(due, result)
        return result.outcome

    def note(self, due: Due, tried: Tried) -> None:
        """Count what became of a step, if that is news."""
        if tried.news:
            self._run.count(due.workflow.trigger, "held_out" if tried.held_out else tried.outcome)
            self._note(due.workflow, tried.outcome, due.step.key, tried.code, tried.text, tried)

    def _note(
        self,
        workflow: Workflow,
        what: str,
        step: str | None,
        code: str,
        text: str,
        tried: Tried | None = None,
    ) -> None:
        self._run.accounts_done.append(
            {
                "account_id": self._frame.account_id,
                "workflow_id": workflow.workflow_id,
                "trigger": workflow.trigger,
                "playbook": workflow.playbook,
                "step": step,
                "outcome": what,
                "action": None if tried is None else tried.action,
                "receipt_id": None if tried is None else tried.receipt_id,
                "task_id": None if tried is None else tried.task_id,
                "reason": {"code": code, "text": text},
            }
        )
