"""Simulates every action that a decision left standing, each as a simulation of its own that can be applied.

Ids follow from the decision, so that equal decisions have equal simulations, and the ledger holds them once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serving.actions.simulate import simulate_action
from serving.actions.sources import SIMULATION
from serving.actions.types import DraftError, draft
from serving.decisions.decision import Refusal, utc_text
from serving.ledger.entry import Entry

if TYPE_CHECKING:
    from serving.actions.simulate import Rules
    from serving.decisions.decision import Decision, Proposal
    from serving.decisions.frame import DecisionFrame

BRIEF_ACTOR: Final = "keepgrow:brief"
"""Who proposes what a brief simulates: no person, so that whoever reads it may apply or approve, but not both."""
FORM_STAGE: Final = "form"


@dataclass(frozen=True, slots=True)
class Simulated:
    """An action that stood, and what would come of it.

    Attributes:
        proposal: The action, as the decision has it.
        simulation: As the ledger will hold it.
    """

    proposal: Proposal
    simulation: dict[str, Any]


def simulation_id(decision_id: str, action_key: str) -> str:
    """Return the id of the simulation of one action of a decision."""
    return "sim_" + hashlib.sha256(f"{decision_id} {action_key}".encode()).hexdigest()[:32]


def simulate_standing(
    decision: Decision, frame: DecisionFrame, rules: Rules
) -> tuple[list[Simulated], list[Refusal]]:
    """Return a simulation of each action that stood in *decision*, and a refusal of each that can't be written out.

    Args:
        decision: The decision.
        frame: What it was made from.
        rules: Catalogue and policy that it was made by.
    """
    simulated: list[Simulated] = []
    refused: list[Refusal] = []
    standing = [*([] if decision.winner is None else [decision.winner]), *decision.alternatives]
    for proposal in standing:
        key = proposal.action.key
        try:
            content = simulate_action(draft(rules.situation(frame, key)), frame, rules)
        except DraftError as error:
            refused.append(Refusal(key, FORM_STAGE, "fact_missing", str(error)))
            continue
        simulated.append(
            Simulated(
                proposal,
                {
                    "simulation_id": simulation_id(decision.decision_id, key),
                    "simulated_at": utc_text(frame.now),
                    "proposed_by": BRIEF_ACTOR,
                    "decision_id": decision.decision_id,
                    **content,
                },
            )
        )
    return simulated, refused


def entries_of(simulated: list[Simulated], frame: DecisionFrame) -> list[Entry]:
    """Return what the ledger must hold before anybody sees *simulated*."""
    return [
        Entry(SIMULATION, one.simulation["simulation_id"], frame.account_id, frame.now, one.simulation)
        for one in simulated
    ]
