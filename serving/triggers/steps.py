"""One step of a workflow: chosen, recorded, then applied or handed to people; repeated tries have one effect."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from serving import metrics
from serving.actions.apply import Wish, apply, repeated_answer
from serving.actions.errors import ApprovalsMissing, LevelTooLow, Refused
from serving.actions.simulate import Rules, fingerprint
from serving.actions.sources import DECISION, read_source
from serving.actions.types import DraftError
from serving.decisions.caps import cohort_of
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.entry import prepare
from serving.triggers.choice import NOT_UNATTENDED, Choice, choose
from serving.triggers.records import record_decision, record_step, step_id
from serving.triggers.workflow import APPLIED, NOTHING, TASKED, Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.decisions.decision import Decision
    from serving.decisions.frame import DecisionFrame
    from serving.state import ServingState
    from serving.triggers.planning import Due

ACTOR: Final = "keepgrow:trigger:"
"""How the names of triggers begin where they act; no person's does."""
NOT_DRAFTED: Final = "not_drafted"
APPROVALS: Final = "approvals_missing"
HOLDOUTS: Final = frozenset({"holdout", "programme_holdout"})


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a step.

    Attributes:
        outcome: `applied`, `task` or `nothing`.
        code: Code of the reason.
        text: The reason in a sentence.
        action: Key of the action; None if there was none.
        receipt_id: The receipt, if it was applied.
        task_id: The task, if people are asked.
        news: Whether that was not on record before.
    """

    outcome: str
    code: str
    text: str
    action: str | None = None
    receipt_id: str | None = None
    task_id: str | None = None
    news: bool = True

    @property
    def held_out(self) -> bool:
        """Whether nothing was done so that the account shows what comes without."""
        return self.code in HOLDOUTS


async def batch_frame(state: ServingState, frame: DecisionFrame) -> DecisionFrame:
    """Return *frame* with what a decision that no person waits for must know of rejections, caps and levels.

    Raises:
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The ledger did not.
    """
    rejected = await state.rejections.of(frame.account_id, frame.now)
    levels = await state.levels.levels()
    caps = await state.caps.usage(frame.account_id, None, frame.now, "batch", cohort_of(frame))
    return dataclasses.replace(
        frame,
        surface=None,
        lane="batch",
        rejected=rejected,
        autonomy=levels,
        caps_used=caps.used,
        caps_held=caps.held,
    )


def look_at_step(
    state: ServingState, due: Due, frame: DecisionFrame, workflows: Sequence[Workflow]
) -> Choice:
    """Return what a step would come to now; nothing is recorded, and nothing done."""
    rules = Rules(state.catalogue, state.policy)
    return choose(due, frame, workflows, rules, state.playbooks.document.same_action_days)


async def try_step(
    state: ServingState, due: Due, frame: DecisionFrame, workflows: Sequence[Workflow]
) -> Tried | Choice:
    """Carry out a step that is due, or say why not; repeated and concurrent tries have one effect.

    Args:
        state: The service's parts.
        due: The step.
        frame: The account now, as `batch_frame` makes it.
        workflows: All workflows of the account.

    Returns:
        What became of it; or the choice, if people are to be asked: `make_task` does, if they have time.

    Raises:
        StoreUnavailable: The store of caps did not answer in time; nothing was done.
        LedgerUnavailable: It was not recorded in time; the next run goes on from what was.
    """
    wish = wish_of(due)
    receipt = await repeated_answer(state.ledger, wish)
    if receipt is not None:  # it was applied by a run that ended before it could say so
        return await _record_applied(state, due, frame, receipt)
    choice = look_at_step(state, due, frame, workflows)
    if choice.outcome == NOTHING:
        return await record_nothing(state, due, frame, choice)
    if choice.outcome == TASKED:
        return choice
    return await _apply(state, due, frame, choice, wish)


def wish_of(due: Due) -> Wish:
    """Return the one request to apply that a step makes, however often it is tried."""
    key, actor = step_id(due.workflow.workflow_id, due.step.key), f"{ACTOR}{due.workflow.trigger}"
    return Wish(key, fingerprint([key, actor]), actor)


async def _apply(
    state: ServingState, due: Due, frame: DecisionFrame, choice: Choice, wish: Wish
) -> Tried | Choice:
    decision_id = await _record_decision(state, due, frame, choice.decision)
    source = await read_source(state.ledger, DECISION, str(decision_id))
    rules = Rules(state.catalogue, state.policy)
    try:
        receipt = await apply(
            state.ledger,
            wish,
            source,
            source.action(frame, rules, None),
            frame,
            rules,
            approvals=(),
            targets=state.outbox.targets,
            caps=state.applied_caps,
        )
    except Refused as error:
        first = error.stopped_by[0]
        refused = dataclasses.replace(choice, outcome=NOTHING, code=first.rule, text=first.text)
        return await record_nothing(state, due, frame, refused)
    except DraftError as error:
        text = f"It can't be written out: {error}"
        refused = dataclasses.replace(choice, outcome=NOTHING, code=NOT_DRAFTED, text=text)
        return await record_nothing(state, due, frame, refused)
    except ApprovalsMissing as error:
        text = f"{error.needed} must agree before it is applied"
        return dataclasses.replace(choice, outcome=TASKED, code=APPROVALS, text=text)
    except LevelTooLow as error:  # it was demoted just now
        return dataclasses.replace(choice, outcome=TASKED, code=NOT_UNATTENDED, text=str(error))
    state.outbox.nudge()
    return await _record_applied(state, due, frame, receipt)


async def _record_applied(state: ServingState, due: Due, frame: DecisionFrame, receipt: bytes) -> Tried:
    said = orjson.loads(receipt)
    action, receipt_id = str(said["action"]["action_key"]), str(said["receipt_id"])
    text = str(said["read_back"])
    content = {
        "step": due.step.key,
        "outcome": APPLIED,
        "action": action,
        "decision_id": said["source"]["id"],
        "receipt_id": receipt_id,
        "reason": {"code": APPLIED, "text": text},
    }
    recorded = await _record(state, due, frame, content)
    return Tried(APPLIED, APPLIED, text, action, receipt_id, news=recorded is not None)


async def make_task(state: ServingState, due: Due, frame: DecisionFrame, choice: Choice) -> Tried:
    """Ask people to do what was chosen, in the queue of the trigger; once, whoever else does.

    Raises:
        LedgerUnavailable: It was not recorded in time.
    """
    decision_id = await _record_decision(state, due, frame, choice.decision)
    action = choice.action
    if action is None:
        raise ValueError("a task needs its action")
    reason = {"code": choice.code, "text": choice.text}
    content = {
        "step": due.step.key,
        "outcome": TASKED,
        "action": action.key,
        "decision_id": decision_id,
        "reason": reason,
    }
    task = {
        "step": due.step.key,
        "queue": due.workflow.content["queue"],
        "account_id": frame.account_id,
        "text": due.workflow.content["text"],
        "action": {"key": action.key, "type": action.type, "title": action.title},
        "decision_id": decision_id,
        "level": choice.level,
        "why": reason,
    }
    recorded = await _record(state, due, frame, content, task)
    state.outbox.nudge()
    task_id = None if recorded is None else str(recorded["task_id"])
    return Tried(TASKED, choice.code, choice.text, action.key, task_id=task_id, news=recorded is not None)


async def record_nothing(state: ServingState, due: Due, frame: DecisionFrame, choice: Choice) -> Tried:
    """Record that a step came to nothing, if it did not for the same reason the last time.

    Raises:
        LedgerUnavailable: It was not recorded in time.
    """
    before = due.workflow.nothings(due.step.key)
    if before and before[-1]["reason"]["code"] == choice.code:
        return Tried(NOTHING, choice.code, choice.text, choice.key, news=False)
    content = {
        "step": due.step.key,
        "outcome": NOTHING,
        "action": choice.key,
        "decision_id": await _record_decision(state, due, frame, choice.decision),
        "reason": {"code": choice.code, "text": choice.text},
    }
    recorded = await _record(state, due, frame, content)
    return Tried(NOTHING, choice.code, choice.text, choice.key, news=recorded is not None)


async def _record_decision(
    state: ServingState, due: Due, frame: DecisionFrame, decision: Decision | None
) -> str | None:
    """Put *decision*, if it was one, on record with the catalogue that it was made from; return its id."""
    if decision is None:
        return None
    entry = prepare(decision_entry(frame, decision.decision_id, answer_json(decision)))
    catalogue = due.playbook.catalogues[due.step.key]
    await state.ledger.transact(lambda transaction: record_decision(transaction, entry, catalogue))
    metrics.decisions("action" if decision.winner else "nothing").inc()
    return decision.decision_id


async def _record(
    state: ServingState,
    due: Due,
    frame: DecisionFrame,
    content: Mapping[str, Any],
    task: Mapping[str, Any] | None = None,
) -> Mapping[str, Any] | None:
    targets = state.outbox.targets
    return await state.ledger.transact(
        lambda transaction: record_step(
            transaction, due.workflow, frame.account_id, content, frame.now, task=task, targets=targets
        )
    )
