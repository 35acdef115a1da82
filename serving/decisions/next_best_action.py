"""The decision itself: a pure function of a frame, a catalogue and a policy, so that it can be replayed.

Stages run in the order of `policy.stages`; then what stands is ranked by expected value. Every action of the
catalogue ends as winner, alternative or refusal.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from serving.decisions.capping import cap_fault, drafted_by, reservation, wanted_uses
from serving.decisions.decision import Decision, Proposal, Refusal, utc_text
from serving.decisions.frame_json import frame_json
from serving.decisions.holdouts import GLOBAL
from serving.decisions.local_time import quiet_from
from serving.decisions.policy.stages import (
    BUDGET_STAGE,
    CONDITIONS_STAGE,
    CONTACT_STAGE,
    HOLDOUT_STAGE,
    RULE_STAGES,
)
from serving.decisions.value import appraise, details

if TYPE_CHECKING:
    from collections.abc import Collection

    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.lift import Basis
    from serving.decisions.policy.compiled import Policy, PolicyCheck

NOTHING: dict[str, str] = {
    "identity_and_freshness": "Nothing now: the evidence does not allow a decision",
    "holdout": "Nothing now: the account shows what happens without actions",
    "eligibility": "Nothing now: the account is not eligible for any action",
    "applicability": "Nothing now: no action fits the account's situation",
    "suitability": "Nothing now: no action that fits is good for the account",
    "contact_policy": "Nothing now: the contact policy allows none of the actions that fit",
    "commercial_policy": "Nothing now: the commercial policy allows none of the actions that fit",
    "uplift_and_value": "Nothing now: no action is surely worth more than it costs",
    "budget": "Nothing now: budgets are used up",
}

_BEFORE_HOLDOUT = RULE_STAGES[:1]
_BEFORE_CONDITIONS = RULE_STAGES[1 : RULE_STAGES.index(CONDITIONS_STAGE) + 1]
_AFTER_CONDITIONS = RULE_STAGES[
    RULE_STAGES.index(CONDITIONS_STAGE) + 1 : RULE_STAGES.index(CONTACT_STAGE) + 1
]
_AFTER_CONTACT = RULE_STAGES[RULE_STAGES.index(CONTACT_STAGE) + 1 :]


def decide(frame: DecisionFrame, catalogue: Catalogue, policy: Policy) -> Decision:
    """Return the one action of *catalogue* worth taking now for the account of *frame*, or why there is none.

    Equal frames, catalogues and policies give equal decisions, ids included; the order of the catalogue's
    actions never matters.

    Args:
        frame: What is known of the account, and the time.
        catalogue: Plans and actions.
        policy: Rules that every action must pass.
    """
    check = policy.about(frame, catalogue)
    held_out = policy.holdouts.of(frame.account_id)
    proposals: list[Proposal] = []
    refused: list[Refusal] = []
    for action in catalogue.actions:
        outcome = _consider(frame, catalogue, policy, check, held_out, action)
        if isinstance(outcome, Refusal):
            refused.append(outcome)
        else:
            proposals.append(outcome)
    proposals.sort(key=lambda proposal: proposal.rank_key)
    refused = [_with_alternative(refusal, proposals, policy) for refusal in refused]
    refused.sort(key=lambda refusal: refusal.action)
    winner = proposals[0] if proposals else None
    decision_id = _decision_id(frame, catalogue, policy)
    code, text = (winner.action.reason_code, winner.action.reason_text) if winner else _why_nothing(refused)
    return Decision(
        decision_id=decision_id,
        account_id=frame.account_id,
        winner=winner,
        reason_code=code,
        reason_text=text,
        alternatives=tuple(proposals[1:]),
        refused=tuple(refused),
        valid_until=_valid_until(frame, catalogue, policy, winner),
        decided_at=frame.now,
        evidence=frame.evidence,
        model=frame.model,
        feature_contract=frame.feature_contract,
        policy=policy.hash,
        catalogue=catalogue.hash,
        basis=_basis(frame, winner),
        reservation=reservation(frame, policy, winner, decision_id),
    )


def _basis(frame: DecisionFrame, winner: Proposal | None) -> Basis:
    """Return what the winner's value rests on; of nothing, whether any effect that was learnt was there to look at."""
    if winner is not None:
        return winner.value.basis
    learnt = any(effect.basis == "uplift" for of in frame.effects.values() for effect in of.values())
    return "uplift" if learnt else "prior"


def _consider(
    frame: DecisionFrame,
    catalogue: Catalogue,
    policy: Policy,
    check: PolicyCheck,
    held_out: Collection[str],
    action: Action,
) -> Proposal | Refusal:
    rules = check.about(action)
    fault = (
        rules.first_fault(_BEFORE_HOLDOUT)
        or _held_out(held_out, action)
        or rules.first_fault(_BEFORE_CONDITIONS)
        or _rejected(frame, action)
        or unmet_condition(frame, action)
        or rules.first_fault(_AFTER_CONDITIONS)
    )
    if fault is not None:
        return fault
    wanted = wanted_uses(frame, policy, action)
    fault = cap_fault(frame, wanted, action, CONTACT_STAGE) or rules.first_fault(_AFTER_CONTACT)
    if fault is not None:
        return fault
    value = appraise(frame, catalogue, action)
    if isinstance(value, Refusal):
        return value
    over = cap_fault(frame, wanted, action, BUDGET_STAGE)
    if over is not None:
        return over
    return Proposal(
        action=action,
        details=details(frame, catalogue, action),
        drivers=_drivers(frame, action),
        value=value,
        drafted_by=drafted_by(frame, wanted),
    )


def _held_out(held_out: Collection[str], action: Action) -> Refusal | None:
    """Return why *action* is kept from an account that is held out, so that effects can be measured, or None."""
    if GLOBAL in held_out:
        return Refusal(action.key, HOLDOUT_STAGE, "holdout", "The account is held out of all actions")
    if action.playbook in held_out:
        text = f"The account is held out of the programme {action.playbook}"
        return Refusal(action.key, HOLDOUT_STAGE, "programme_holdout", text)
    return None


def _rejected(frame: DecisionFrame, action: Action) -> Refusal | None:
    """Return that the account has rejected *action* lately, or None."""
    until = frame.rejected.get(action.key)
    if until is None or until <= frame.now:
        return None
    text = f"The account rejected it; it is not proposed again before {utc_text(until)}"
    return Refusal(action.key, CONDITIONS_STAGE, "rejected_recently", text)


def unmet_condition(frame: DecisionFrame, action: Action) -> Refusal | None:
    """Return why the catalogue's own conditions of *action* (a limit that is near, risk) don't hold, or None."""
    for condition in action.requires.all:
        value = frame.number(condition.feature)
        if not condition.holds(value):
            shown = "not known" if value is None else f"{value:.4g}"
            return Refusal(action.key, CONDITIONS_STAGE, "condition", f"Needs {condition}; it is {shown}")
    if action.requires.any and not any(
        condition.holds(frame.number(condition.feature)) for condition in action.requires.any
    ):
        wanted = ", or ".join(str(condition) for condition in action.requires.any)
        return Refusal(action.key, CONDITIONS_STAGE, "condition", f"Needs {wanted}")
    return None


def _with_alternative(refusal: Refusal, proposals: list[Proposal], policy: Policy) -> Refusal:
    """Return *refusal* with the best of the standing actions that its rule points to."""
    safer = None if refusal.policy_rule is None else policy.safer_alternatives(refusal.policy_rule)
    if safer is None:
        return refusal
    instead = next((proposal.action.key for proposal in proposals if safer.covers(proposal.action)), None)
    return refusal if instead is None else dataclasses.replace(refusal, safer_alternative=instead)


def _drivers(frame: DecisionFrame, action: Action) -> tuple[dict[str, Any], ...]:
    """Return the conditions that held, with the values that made them hold."""
    held = []
    for condition in (*action.requires.any, *action.requires.all):
        value = frame.number(condition.feature)
        if condition.holds(value):
            held.append({"feature": condition.feature, "value": value, "condition": str(condition)})
    return tuple(held)


def _why_nothing(refused: list[Refusal]) -> tuple[str, str]:
    """Return the commonest rule of the stage that the candidates came furthest to, and a sentence."""
    furthest = max(refused, key=lambda refusal: list(NOTHING).index(refusal.stage)).stage
    here = [refusal for refusal in refused if refusal.stage == furthest]
    rules = Counter(refusal.rule for refusal in here)
    rule = min(rules, key=lambda name: (-rules[name], name))
    text = min(refusal.text for refusal in here if refusal.rule == rule)
    return rule, f"{NOTHING[furthest]}. {text}."


def _valid_until(
    frame: DecisionFrame, catalogue: Catalogue, policy: Policy, winner: Proposal | None
) -> dt.datetime:
    """Return when the decision must be made again; one on bad evidence doesn't outlive its moment."""
    if frame.evidence_status != "full":
        return frame.now
    ends = [frame.now + dt.timedelta(hours=catalogue.valid_hours)]
    if frame.fresh_until is not None:
        ends.append(frame.fresh_until)
    if winner is not None and policy.heeds_quiet_hours(winner.action):
        quiet = quiet_from(frame)
        if quiet is not None:
            ends.append(quiet)
    return max(frame.now, min(ends))


def _decision_id(frame: DecisionFrame, catalogue: Catalogue, policy: Policy) -> str:
    content = frame_json(frame, sort_keys=True) + f"{policy.hash} {catalogue.hash}".encode()
    return "dec_" + hashlib.sha256(content).hexdigest()[:32]
