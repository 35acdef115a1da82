"""The decision itself: a pure function of a frame and a catalogue, so that it can be replayed.

Stages run in order: identity and freshness, eligibility, applicability, contact policy, value; then what
stands is ranked by expected value. Every action of the catalogue ends as winner, alternative or refusal.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from serving.decisions.decision import Decision, Proposal, Refusal
from serving.decisions.rules import POLICY_HASH, QUIET_CHANNELS, first_fault, quiet_from
from serving.decisions.value import appraise, details

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame

NOTHING: dict[str, str] = {
    "identity_and_freshness": "Nothing now: the evidence does not allow a decision",
    "eligibility": "Nothing now: the account is not eligible for any action",
    "applicability": "Nothing now: no action fits the account's situation",
    "contact_policy": "Nothing now: the contact policy allows none of the actions that fit",
    "uplift_and_value": "Nothing now: no action is surely worth more than it costs",
}


def decide(frame: DecisionFrame, catalogue: Catalogue) -> Decision:
    """Return the one action of *catalogue* worth taking now for the account of *frame*, or why there is none.

    Equal frames and catalogues give equal decisions, ids included; the order of the catalogue's actions never
    matters.
    """
    proposals: list[Proposal] = []
    refused: list[Refusal] = []
    for action in catalogue.actions:
        outcome = _consider(frame, catalogue, action)
        if isinstance(outcome, Refusal):
            refused.append(outcome)
        else:
            proposals.append(outcome)
    proposals.sort(key=lambda proposal: proposal.rank_key)
    refused.sort(key=lambda refusal: refusal.action)
    winner = proposals[0] if proposals else None
    code, text = (winner.action.reason_code, winner.action.reason_text) if winner else _why_nothing(refused)
    return Decision(
        decision_id=_decision_id(frame, catalogue),
        account_id=frame.account_id,
        winner=winner,
        reason_code=code,
        reason_text=text,
        alternatives=tuple(proposals[1:]),
        refused=tuple(refused),
        valid_until=_valid_until(frame, catalogue, winner),
        decided_at=frame.now,
        evidence=frame.evidence,
        model=frame.model,
        feature_contract=frame.feature_contract,
        policy=POLICY_HASH,
        catalogue=catalogue.hash,
    )


def _consider(frame: DecisionFrame, catalogue: Catalogue, action: Action) -> Proposal | Refusal:
    fault = first_fault(frame, catalogue, action)
    if fault is not None:
        return fault
    value = appraise(frame, catalogue, action)
    if isinstance(value, Refusal):
        return value
    return Proposal(
        action=action, details=details(frame, catalogue, action), drivers=_drivers(frame, action), value=value
    )


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


def _valid_until(frame: DecisionFrame, catalogue: Catalogue, winner: Proposal | None) -> dt.datetime:
    """Return when the decision must be made again; one on bad evidence doesn't outlive its moment."""
    if frame.evidence_status != "full":
        return frame.now
    ends = [frame.now + dt.timedelta(hours=catalogue.valid_hours)]
    if frame.fresh_until is not None:
        ends.append(frame.fresh_until)
    if winner is not None and winner.action.channel in QUIET_CHANNELS:
        quiet = quiet_from(frame)
        if quiet is not None:
            ends.append(quiet)
    return max(frame.now, min(ends))


def _decision_id(frame: DecisionFrame, catalogue: Catalogue) -> str:
    content = orjson.dumps(
        [
            frame.account_id,
            frame.now.isoformat(),
            frame.surface,
            dict(frame.features),
            dict(frame.churn_probability),
            dict(frame.upsell_probability),
            frame.evidence_status,
            frame.model,
            frame.feature_contract,
            POLICY_HASH,
            catalogue.hash,
        ],
        option=orjson.OPT_SORT_KEYS,
    )
    return "dec_" + hashlib.sha256(content).hexdigest()[:32]
