"""Everything that an action must pass, each with its verdict: the policy's rules, holdouts, conditions, its own form.

The decision itself has the last word, so that nothing may be applied which `decide` would refuse by a rule. Whether
an action pays is told, but does not stop a person; that it surely does harm does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serving.decisions.candidates import standing
from serving.decisions.capping import cap_fault, drafted_by, wanted_uses
from serving.decisions.policy.stages import BUDGET_STAGE, RULE_STAGES, VALUE_STAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.actions.types import Situation, TypedAction
    from serving.decisions.policy.compiled import Policy

FORM_STAGE: Final = "form"
"""The stage of what an action says itself: prices, times, seats."""
HARM: Final = "sleeping_dog"
PASSED: Final = "passed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check and how it came out.

    Attributes:
        stage: Stage of the decision, or `form`.
        rule: Id of the policy's rule, else the code of the reason.
        passed: Whether the action passes.
        blocks: Whether it must.
        text: The reason in a sentence if it does not pass.
        pointer: The member of the action that is wrong, for checks of its form.
    """

    stage: str
    rule: str
    passed: bool
    blocks: bool = True
    text: str = PASSED
    pointer: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as the API shows it."""
        shown: dict[str, Any] = {
            "stage": self.stage,
            "rule": self.rule,
            "passed": self.passed,
            "blocks": self.blocks,
            "text": self.text,
        }
        if self.pointer is not None:
            shown["pointer"] = self.pointer
        return shown


def verdicts(action: TypedAction, situation: Situation, policy: Policy) -> list[Verdict]:
    """Return every check of *action* in the order in which a decision makes them.

    Args:
        action: The action.
        situation: The account now, and the catalogue's action that is carried out.
        policy: The rules.
    """
    frame, catalogue, entry = situation.frame, situation.catalogue, situation.action
    broken = {
        fault.policy_rule: fault for fault in policy.about(frame, catalogue).about(entry).faults(RULE_STAGES)
    }
    found = []
    for compiled in policy.covering(entry):
        fault = broken.get(compiled.rule.id)
        text = PASSED if fault is None else fault.text
        found.append(Verdict(compiled.rule.stage, compiled.rule.id, fault is None, text=text))
    refusal = standing(frame, catalogue, policy, entry)
    if refusal is not None and refusal.policy_rule not in broken:
        blocks = refusal.stage != VALUE_STAGE or refusal.rule == HARM
        found.append(Verdict(refusal.stage, refusal.rule, passed=False, blocks=blocks, text=refusal.text))
    if refusal is None or refusal.stage == VALUE_STAGE:
        found += _budget(situation, policy)
    faults = action.every_fault(situation)
    found += [
        Verdict(FORM_STAGE, fault.code, passed=False, text=fault.text, pointer=fault.pointer)
        for fault in faults
    ]
    if not faults:
        found.append(Verdict(FORM_STAGE, action.action_key, passed=True))
    return found


def _budget(situation: Situation, policy: Policy) -> list[Verdict]:
    """Return the budgets that are used up; a decision asks for them only after the value, which stops no person."""
    frame, entry = situation.frame, situation.action
    wanted = wanted_uses(frame, policy, entry)
    over = cap_fault(frame, wanted, entry, BUDGET_STAGE)
    if over is not None:
        return [Verdict(BUDGET_STAGE, over.rule, passed=False, text=over.text)]
    return [
        Verdict(
            BUDGET_STAGE, cap, passed=False, text="It is used up: the action may be prepared, but not shown"
        )
        for cap in drafted_by(frame, wanted)
    ]


def stopping(checks: Sequence[Verdict]) -> list[Verdict]:
    """Return the checks by which the action may not be applied."""
    return [one for one in checks if one.blocks and not one.passed]
