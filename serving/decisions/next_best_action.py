"""The decision itself: a pure function of a frame, a catalogue and a policy, so that it can be replayed.

Stages run in the order of `policy.stages`; then what stands is ranked by expected value, or as the account's control
arm has it. Every action of the catalogue ends as winner, alternative or refusal.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final

from serving.decisions.arbitration import Draw, arbitrate, chances
from serving.decisions.arms import NOTHING as NOTHING_DRAWN
from serving.decisions.candidates import Candidate, consider, held_out
from serving.decisions.capping import reservation
from serving.decisions.decision import Decision, Proposal, Refusal
from serving.decisions.frame_json import frame_json
from serving.decisions.local_time import quiet_from
from serving.decisions.remedies import NON_DISCOUNT_FIRST

if TYPE_CHECKING:
    from serving.decisions.catalogue import Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.lift import Basis
    from serving.decisions.policy.compiled import Policy

NOTHING: dict[str, str] = {
    "identity_and_freshness": "Nothing now: the evidence does not allow a decision",
    "holdout": "Nothing now: the account shows what happens without actions",
    "eligibility": "Nothing now: the account is not eligible for any action",
    "applicability": "Nothing now: no action fits the account's situation",
    "suitability": "Nothing now: no action that fits is good for the account",
    "contact_policy": "Nothing now: the contact policy allows none of the actions that fit",
    "commercial_policy": "Nothing now: the commercial policy allows none of the actions that fit",
    "uplift_and_value": "Nothing now: no action is surely worth more than it costs",
    "arbitration": "Nothing now: what stands is kept back",
    "budget": "Nothing now: budgets are used up",
}
_STAGE_PLACES: Final = {stage: place for place, stage in enumerate(NOTHING)}


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
    held = policy.holdouts.of(frame.account_id)
    arm = policy.arms.of(policy.holdouts.salt, frame.account_id)
    candidates: list[Candidate] = []
    refused: list[Refusal] = []
    kept_out: set[str] = set()
    for action in catalogue.actions:
        outcome = consider(frame, catalogue, policy, check, action)
        fault = outcome if isinstance(outcome, Refusal) else None
        if isinstance(outcome, Candidate):
            candidates.append(outcome)
        out = held_out(held, action, fault)
        if out is not None:
            kept_out.add(action.key)
            refused.append(out)
        elif fault is not None:
            refused.append(fault)
    free = [one for one in candidates if one.key not in kept_out]
    result = arbitrate(free, policy, frame.account_id, arm, frame.now)
    ranked = [one.proposal for one in result.ranked]
    refused += result.refused
    refused = [_with_alternative(refusal, ranked, policy) for refusal in refused]
    refused.sort(key=lambda refusal: refusal.action)
    winner = ranked[0] if ranked else None
    decision_id = _decision_id(frame, catalogue, policy)
    code, text = (winner.action.reason_code, winner.action.reason_text) if winner else _why_nothing(refused)
    return Decision(
        decision_id=decision_id,
        account_id=frame.account_id,
        winner=winner,
        reason_code=code,
        reason_text=text,
        alternatives=tuple(ranked[1:]),
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
        draw=Draw(
            arm=arm,
            held_out=tuple(sorted(held)),
            chances=chances(candidates, policy),
            came=winner.action.key if winner else NOTHING_DRAWN,
        ),
    )


def _basis(frame: DecisionFrame, winner: Proposal | None) -> Basis:
    """Return what the winner's value rests on; of nothing, whether any effect that was learnt was there to look at."""
    if winner is not None:
        return winner.value.basis
    learnt = any(effect.basis == "uplift" for of in frame.effects.values() for effect in of.values())
    return "uplift" if learnt else "prior"


def _with_alternative(refusal: Refusal, proposals: list[Proposal], policy: Policy) -> Refusal:
    """Return *refusal* with the best of the standing actions that its rule points to."""
    if refusal.rule == NON_DISCOUNT_FIRST:
        remedy = next((one.action.key for one in proposals if not one.action.gives_discount), None)
        return dataclasses.replace(refusal, safer_alternative=remedy)
    safer = None if refusal.policy_rule is None else policy.safer_alternatives(refusal.policy_rule)
    if safer is None:
        return refusal
    instead = next((proposal.action.key for proposal in proposals if safer.covers(proposal.action)), None)
    return refusal if instead is None else dataclasses.replace(refusal, safer_alternative=instead)


def _why_nothing(refused: list[Refusal]) -> tuple[str, str]:
    """Return the commonest rule of the stage that the candidates came furthest to, and a sentence."""
    furthest = max([refusal.stage for refusal in refused], key=_STAGE_PLACES.__getitem__)
    here = [refusal for refusal in refused if refusal.stage == furthest]
    rules = Counter(refusal.rule for refusal in here)
    rule = min(rules, key=lambda name: (-rules[name], name))
    text = min(refusal.text for refusal in here if refusal.rule == rule)
    return rule, f"{NOTHING[furthest]}. {text}."


def _valid_until(
    frame: DecisionFrame, catalogue: Catalogue, policy: Policy, winner: Proposal | None
) -> dt.datetime:
    """Return when the decision must be made again; one on bad evidence doesn't outlive its moment."""
    bears = winner is not None and winner.action.wins_back and frame.bears_win_back
    if frame.evidence_status != "full" and not bears:
        return frame.now
    ends = [frame.now + dt.timedelta(hours=catalogue.valid_hours)]
    if frame.fresh_until is not None:
        ends.append(frame.fresh_until)
    if winner is not None and policy.heeds_quiet_hours(winner.action):
        quiet = quiet_from(frame)
        if quiet is not None:
            ends.append(quiet)
    if winner is not None and (change := policy.changes_at(frame, winner.action)) is not None:
        ends.append(change)
    return max(frame.now, min(ends))


def _decision_id(frame: DecisionFrame, catalogue: Catalogue, policy: Policy) -> str:
    content = frame_json(frame, sort_keys=True) + f"{policy.hash} {catalogue.hash}".encode()
    return "dec_" + hashlib.sha256(content).hexdigest()[:32]
