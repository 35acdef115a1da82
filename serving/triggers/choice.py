"""What a step of a workflow comes to for one account: applied, a task, or nothing, and why. A pure function."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.decisions.autonomy import effective_level, may_apply
from serving.decisions.candidates import standing
from serving.decisions.next_best_action import decide
from serving.decisions.remedies import NON_DISCOUNT_FIRST
from serving.triggers.workflow import APPLIED, NOTHING, TASKED, Workflow, done_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.actions.simulate import Rules
    from serving.decisions.autonomy import Level
    from serving.decisions.catalogue import Action
    from serving.decisions.decision import Decision, Proposal, Refusal
    from serving.decisions.frame import DecisionFrame
    from serving.triggers.planning import Due

DONE_LATELY: Final = "done_lately"
BUDGET_USED_UP: Final = "budget_used_up"
NOT_UNATTENDED: Final = "not_unattended"
UNATTENDED: Final = "unattended"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a step comes to.

    Attributes:
        outcome: `applied`, `task` or `nothing`.
        code: Code of the reason.
        text: The reason in a sentence.
        decision: The decision that it rests on; None where a workflow holds back what was decided, so that it counts
            as no draw.
        action: The action, if there is one.
        level: The action's level of autonomy.
        worth: What the action is ranked by: its expected value times its levers.
    """

    outcome: str
    code: str
    text: str
    decision: Decision | None
    action: Action | None = None
    level: Level | None = None
    worth: float = 0.0

    @property
    def key(self) -> str | None:
        """Key of the action, if there is one."""
        return None if self.action is None else self.action.key


def choose(
    due: Due, frame: DecisionFrame, workflows: Sequence[Workflow], rules: Rules, same_action_days: int
) -> Choice:
    """Return what the step that is *due* comes to.

    Args:
        due: The step.
        frame: The account now.
        workflows: All workflows of the account.
        rules: Catalogue and policy in force.
        same_action_days: Days in which no workflow does the same to an account twice.
    """
    decision = decide(frame, due.playbook.catalogues[due.step.key], rules.policy)
    winner = decision.winner
    if winner is None:
        return Choice(NOTHING, decision.reason_code, decision.reason_text, decision)
    if winner.action.key in done_within(workflows, dt.timedelta(days=same_action_days), frame.now):
        text = f"A workflow did the same within the last {same_action_days} days"
        return Choice(NOTHING, DONE_LATELY, text, None, winner.action)
    behind = _behind_a_remedy(frame, winner, rules)
    if behind is not None:
        return Choice(NOTHING, behind.rule, behind.text, None, winner.action)
    if winner.drafted_by:
        text = f"Used up: {', '.join(winner.drafted_by)}"
        return Choice(NOTHING, BUDGET_USED_UP, text, decision, winner.action)
    level = effective_level(rules.policy.document.autonomy, frame.autonomy, winner.action.key)
    worth = winner.value.ranked_by
    if may_apply(level, "trigger"):
        return Choice(APPLIED, UNATTENDED, "Applied with nobody asked", decision, winner.action, level, worth)
    text = f"The action is at {level}, and a person has to ask for it"
    return Choice(TASKED, NOT_UNATTENDED, text, decision, winner.action, level, worth)


def _behind_a_remedy(frame: DecisionFrame, winner: Proposal, rules: Rules) -> Refusal | None:
    """Return why a discount waits: outside the step's actions, a remedy without one fits; else None."""
    if not (winner.action.gives_discount and rules.policy.document.non_discount_first):
        return None
    fault = standing(frame, rules.catalogue, rules.policy, winner.action)
    return fault if fault is not None and fault.rule == NON_DISCOUNT_FIRST else None
