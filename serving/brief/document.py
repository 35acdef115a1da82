"""The brief as a document: a pure function of a score, a decision, its simulations and what was done before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.actions.fairness import ATTRIBUTES
from serving.brief.ordering import ORDER, safety_key
from serving.decisions.caps import MINOR_UNITS, cohort_of
from serving.decisions.decision import utc_text
from serving.decisions.policy.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from serving.actions.simulate import Rules
    from serving.brief.simulating import Simulated
    from serving.decisions.decision import Decision, Proposal, Refusal
    from serving.decisions.frame import DecisionFrame


@dataclass(frozen=True, slots=True)
class Basis:
    """What a brief rests on.

    Attributes:
        decision: The decision, which is on record.
        frame: What it was made from.
        simulated: Its actions that stood, each with its simulation, on record too.
        not_drafted: Those of them that can't be written out.
        applied: What was done before, as `applied_actions` returns it.
        rules: Catalogue and policy.
        model_features: Names of the features that the models see.
        shared: An earlier simulation that somebody was asked to look at, with its approvals.
    """

    decision: Decision
    frame: DecisionFrame
    simulated: Sequence[Simulated]
    not_drafted: Sequence[Refusal]
    applied: Sequence[Mapping[str, Any]]
    rules: Rules
    model_features: Collection[str]
    shared: Mapping[str, Any] | None = None


def brief_document(card: Mapping[str, Any], basis: Basis) -> dict[str, Any]:
    """Return the brief: the account card, and what a person should weigh before acting.

    Args:
        card: Score, profile and prospects, as the account card shows them.
        basis: What the rest is made from.
    """
    return {
        **card,
        "next_best_action": basis.decision.to_dict(),
        "made_at": utc_text(basis.frame.now),
        "order": ORDER,
        "actions": actions(basis),
        "do_nothing": do_nothing(basis),
        "refused_by_stage": refused_by_stage([*basis.decision.refused, *basis.not_drafted], basis.rules),
        "shared_simulation": None if basis.shared is None else _titled(dict(basis.shared), basis.rules),
        "applied_actions": [dict(one) for one in basis.applied],
        "fairness": fairness(basis),
        "sources": sources(basis),
    }


def actions(basis: Basis) -> list[dict[str, Any]]:
    """Return the actions that stood, safest first, each with its simulation."""
    by_value = sorted(
        basis.simulated, key=lambda one: (-one.proposal.value.ranked_by, one.proposal.action.key)
    )
    rank = {one.proposal.action.key: place for place, one in enumerate(by_value, 1)}
    winner = basis.decision.winner
    recommended = None if winner is None else winner.action.key
    ordered = sorted(
        basis.simulated, key=lambda one: safety_key(one.simulation, one.proposal.value.ranked_by)
    )
    return [
        {
            **one.proposal.to_dict(),
            "recommended": one.proposal.action.key == recommended,
            "rank_by_safety": place,
            "rank_by_value": rank[one.proposal.action.key],
            "budget_use": budget_use(basis, one.proposal),
            "simulation": one.simulation,
        }
        for place, one in enumerate(ordered, 1)
    ]


def budget_use(basis: Basis, proposal: Proposal) -> list[dict[str, Any]]:
    """Return what an action would use of each cap and budget; `used` is null where it is not known."""
    frame = basis.frame
    wanted = basis.rules.policy.cap_uses.of(proposal.action, frame.account_id, frame.lane, cohort_of(frame))
    return [
        {
            "cap": use.cap.id,
            "unit": use.cap.unit,
            "takes": _main_unit(use.cap.unit, use.amount),
            "used": None
            if frame.caps_used is None
            else _main_unit(use.cap.unit, frame.caps_used.get(use.key, 0)),
            "limit": use.cap.limit,
            "window_days": use.cap.window_days,
            "per": list(use.cap.per),
        }
        for use in wanted
    ]


def _main_unit(unit: str, amount: int) -> float:
    return amount / MINOR_UNITS if unit == "cost" else amount


def do_nothing(basis: Basis) -> dict[str, Any]:
    """Return what is expected if nothing is done: what every action is held against."""
    frame, catalogue = basis.frame, basis.rules.catalogue
    mrr = frame.number("mrr")
    known = mrr is not None and mrr >= 0
    return {
        "action": None,
        "churn_risk": round(frame.churn_risk, 6),
        "within": frame.score_horizon,
        "mrr_at_risk": round(frame.churn_risk * mrr, 2) if known and mrr is not None else None,
        "currency": catalogue.currency,
        "expected_value": {"amount": 0.0, "currency": catalogue.currency},
    }


def refused_by_stage(refused: Sequence[Refusal], rules: Rules) -> list[dict[str, Any]]:
    """Return what was refused, by stage in the order in which a decision passes them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for refusal in refused:
        shown = refusal.to_dict()
        found.setdefault(refusal.stage, []).append({**shown, "title": title_of(refusal.action, rules)})
    order = [*STAGES, *sorted(set(found) - set(STAGES))]
    return [{"stage": stage, "refused": found[stage]} for stage in order if stage in found]


def title_of(action_key: str, rules: Rules) -> str:
    """Return the title of an action, or its key if the catalogue no longer has it."""
    action = rules.catalogue.actions_by_key.get(action_key)
    return action_key if action is None else action.title


def _titled(simulation: dict[str, Any], rules: Rules) -> dict[str, Any]:
    return {**simulation, "title": title_of(simulation["action"]["action_key"], rules)}


def fairness(basis: Basis) -> dict[str, Any]:
    """Return which groups the account belongs to, and whether the models see that.

    Shares of groups need many accounts: simulating an action on a list of them tells those.
    """
    return {
        "groups": {name: basis.frame.text(name) for name in ATTRIBUTES},
        "seen_by_models": [name for name in ATTRIBUTES if name in basis.model_features],
    }


def sources(basis: Basis) -> dict[str, Any]:
    """Return where everything comes from, with times and versions."""
    decision, evidence = basis.decision, basis.frame.evidence
    return {
        "status": evidence.get("status"),
        "views": [{"view": name, **age} for name, age in evidence.get("views", {}).items()],
        "missing": list(evidence.get("missing", ())),
        "clock": evidence.get("clock"),
        "model": decision.model,
        "feature_contract": decision.feature_contract,
        "policy": decision.policy,
        "catalogue": decision.catalogue,
        "decision_id": decision.decision_id,
        "decided_at": utc_text(decision.decided_at),
        "valid_until": utc_text(decision.valid_until),
    }
