"""Briefs as they are made live: the account is read and decided on, and all that can be applied goes on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.actions.errors import UnknownSource
from serving.actions.simulate import Rules
from serving.actions.sources import SIMULATION, approvals_of, read_source
from serving.answers import CARD, card_of, score_account
from serving.brief.applied import applied_actions
from serving.brief.document import Basis, brief_document
from serving.brief.simulating import entries_of, simulate_standing
from serving.deciding import decide_on_record

if TYPE_CHECKING:
    from serving.state import ServingState

SURFACE: Final = "account_card"
"""Briefs are read by the company's own people."""


async def brief_on_record(
    state: ServingState, account_id: str, shared_id: str | None = None
) -> dict[str, Any]:
    """Return the brief of an account, once its decision and its simulations are on record.

    Args:
        state: The service.
        account_id: The account.
        shared_id: An earlier simulation of the account to show as well, so that a second person can approve it.

    Raises:
        UnknownSource: There is no such simulation, or it is about another account.
        EntryErased: Its content was erased.
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: Decision or simulations could not be recorded in time.
    """
    scored = await score_account(state, account_id, CARD)
    card = card_of(state, scored)
    shared = None if shared_id is None else await _shared(state, account_id, shared_id)
    recorded = await decide_on_record(state, scored, SURFACE)
    rules = Rules(state.catalogue, state.policy)
    simulated, not_drafted = simulate_standing(recorded.decision, recorded.frame, rules)
    if simulated:
        await state.ledger.append(*entries_of(simulated, recorded.frame))
    applied = await state.ledger.look(lambda transaction: applied_actions(transaction, account_id))
    basis = Basis(
        decision=recorded.decision,
        frame=recorded.frame,
        simulated=simulated,
        not_drafted=not_drafted,
        applied=applied,
        rules=rules,
        model_features={feature.name for feature in state.bundle.manifest.contract.model_features},
        shared=shared,
    )
    return brief_document(card, basis)


async def _shared(state: ServingState, account_id: str, simulation_id: str) -> dict[str, Any]:
    source = await read_source(state.ledger, SIMULATION, simulation_id)
    if source.account_id != account_id:
        raise UnknownSource("the simulation is about another account")
    return {**source.content, "approvals": await approvals_of(state.ledger, source)}
