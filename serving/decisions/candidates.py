"""Takes one action of the catalogue through the stages: it falls, or it is a candidate for arbitration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.decisions.autonomy import effective_level, ladder_fault
from serving.decisions.capping import cap_fault, drafted_by, wanted_uses
from serving.decisions.decision import Proposal, Refusal
from serving.decisions.fitting import rejected, unmet_condition
from serving.decisions.holdouts import GLOBAL
from serving.decisions.policy.stages import (
    BUDGET_STAGE,
    CONDITIONS_STAGE,
    CONTACT_STAGE,
    HOLDOUT_STAGE,
    RULE_STAGES,
    VALUE_STAGE,
)
from serving.decisions.remedies import behind_remedy
from serving.decisions.value import Appraisal, appraise, details

if TYPE_CHECKING:
    from collections.abc import Collection

    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.compiled import Policy, PolicyCheck

_IDENTITY = RULE_STAGES[0]
_BEFORE_CONDITIONS = RULE_STAGES[: RULE_STAGES.index(CONDITIONS_STAGE) + 1]
_AFTER_CONDITIONS = RULE_STAGES[
    RULE_STAGES.index(CONDITIONS_STAGE) + 1 : RULE_STAGES.index(CONTACT_STAGE) + 1
]
_AFTER_CONTACT = RULE_STAGES[RULE_STAGES.index(CONTACT_STAGE) + 1 :]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action that all rules, caps and budgets allow.

    Attributes:
        proposal: What it would be.
        appraisal: What it is worth, and whether that is enough.
    """

    proposal: Proposal
    appraisal: Appraisal

    @property
    def key(self) -> str:
        """Key of the action."""
        return self.proposal.action.key

    @property
    def refusal(self) -> Refusal | None:
        """Why its uplift does not carry it, or None if it stands."""
        return _by_value(self.proposal.action, self.appraisal)


def consider(
    frame: DecisionFrame, catalogue: Catalogue, policy: Policy, check: PolicyCheck, action: Action
) -> Candidate | Refusal:
    """Return how *action* comes through all stages but the holdout, which `held_out` looks at.

    Args:
        frame: The account.
        catalogue: Plans and actions.
        policy: The rules.
        check: The same as it stands to the frame.
        action: One of the catalogue's actions.
    """
    rules = check.about(action)
    fault = (
        rules.first_fault(_BEFORE_CONDITIONS)
        or rejected(frame, action)
        or unmet_condition(frame, action)
        or rules.first_fault(_AFTER_CONDITIONS)
    )
    if fault is not None:
        return fault
    wanted = wanted_uses(frame, policy, action)
    fault = cap_fault(frame, wanted, action, CONTACT_STAGE) or rules.first_fault(_AFTER_CONTACT)
    if fault is not None:
        return fault
    appraisal = appraise(frame, catalogue, action)
    if isinstance(appraisal, Refusal):
        return appraisal
    autonomy = policy.document.autonomy
    stop = (
        cap_fault(frame, wanted, action, BUDGET_STAGE)
        or behind_remedy(frame, catalogue, policy, check, action, appraisal.aim)
        or ladder_fault(autonomy, frame.autonomy, frame.surface, action.key)
    )
    if stop is not None:
        return _by_value(action, appraisal) or stop
    proposal = Proposal(
        action=action,
        details=details(frame, catalogue, action),
        drivers=_drivers(frame, action),
        value=appraisal.value,
        drafted_by=drafted_by(frame, wanted),
        autonomy=effective_level(autonomy, frame.autonomy, action.key),
    )
    return Candidate(proposal, appraisal)


def held_out(held: Collection[str], action: Action, fault: Refusal | None) -> Refusal | None:
    """Return why *action* is kept from an account that is held out, so that effects can be measured, or None.

    Args:
        held: What the account is held out of.
        action: The action.
        fault: Where it falls anyway; who is held out is asked only of accounts of which enough is known.
    """
    if fault is not None and fault.stage == _IDENTITY:
        return None
    if GLOBAL in held:
        return Refusal(action.key, HOLDOUT_STAGE, "holdout", "The account is held out of all actions")
    if action.playbook in held:
        text = f"The account is held out of the programme {action.playbook}"
        return Refusal(action.key, HOLDOUT_STAGE, "programme_holdout", text)
    return None


def standing(frame: DecisionFrame, catalogue: Catalogue, policy: Policy, action: Action) -> Refusal | None:
    """Return how *action* falls, or None if it stands, whether or not others are worth more; arms play no part."""
    outcome = consider(frame, catalogue, policy, policy.about(frame, catalogue), action)
    fault = outcome if isinstance(outcome, Refusal) else outcome.refusal
    return held_out(policy.holdouts.of(frame.account_id), action, fault) or fault


def _by_value(action: Action, appraisal: Appraisal) -> Refusal | None:
    return None if appraisal.fault is None else Refusal(action.key, VALUE_STAGE, *appraisal.fault)


def _drivers(frame: DecisionFrame, action: Action) -> tuple[dict[str, Any], ...]:
    """Return the conditions that held, with the values that made them hold."""
    held = []
    for condition in (*action.requires.any, *action.requires.all):
        value = frame.number(condition.feature)
        if condition.holds(value):
            held.append({"feature": condition.feature, "value": value, "condition": str(condition)})
    return tuple(held)
