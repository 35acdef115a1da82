"""Decisions as they are made live: what must be known is read, what the winner uses is reserved, all goes on record."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

from serving import metrics
from serving.decisions.caps import cohort_of
from serving.decisions.next_best_action import decide
from serving.errors import LedgerUnavailable
from serving.ledger.decisions import RecordedDecision, answer_json, decision_entry

if TYPE_CHECKING:
    from serving.answers import ScoredAccount
    from serving.decisions.decision import Decision
    from serving.decisions.frame import DecisionFrame
    from serving.state import ServingState

TRIES: Final = 5
"""How often is decided again because others have used up a cap meanwhile."""


async def frame_of(state: ServingState, scored: ScoredAccount, surface: str | None) -> DecisionFrame:
    """Return all that a decision about an account needs: features, score, rejections, levels, and what is used of caps.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The ledger did not.
    """
    frame = state.frames.frame(scored.rows, scored.index, scored.score, now=scored.now, surface=surface)
    rejected = await state.rejections.of(frame.account_id, frame.now)
    levels = await state.levels.levels()
    caps = await state.caps.usage(frame.account_id, surface, frame.now, cohort=cohort_of(frame))
    return dataclasses.replace(
        frame, rejected=rejected, autonomy=levels, caps_used=caps.used, caps_held=caps.held
    )


async def decide_on_record(
    state: ServingState, scored: ScoredAccount, surface: str | None
) -> RecordedDecision:
    """Return the decision about an account, once its uses are reserved and the ledger has it.

    Raises:
        UnknownAccount: The store holds nothing of the account.
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The decision could not be recorded in time; its uses are given back.
    """
    frame, decision = await _within_caps(state, await frame_of(state, scored, surface))
    body = answer_json(decision)
    started = time.perf_counter()
    try:
        await state.ledger.append(decision_entry(frame, decision.decision_id, body))
    except LedgerUnavailable:
        if decision.uses_caps:
            await state.caps.not_shown(decision.decision_id, frame.now)
        raise
    metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
    metrics.decisions("action" if decision.winner else "nothing").inc()
    return RecordedDecision(decision, frame, body)


async def _within_caps(state: ServingState, frame: DecisionFrame) -> tuple[DecisionFrame, Decision]:
    """Return a decision whose uses are reserved, and the frame that it was made from.

    Who reads that something is left may find it gone; then is decided again, by what is used now.
    """
    for _ in range(TRIES):
        decision = decide(frame, state.catalogue, state.policy)
        if not decision.uses_caps:
            return frame, decision
        now_known = await state.caps.reserve(decision, frame)
        if now_known is None:
            return frame, decision
        frame = dataclasses.replace(
            frame,
            caps_used={**(frame.caps_used or {}), **now_known.used},
            caps_held={**frame.caps_held, **now_known.held},
        )
    frame = dataclasses.replace(frame, caps_used=None)  # so much is used by others that nobody knows how much
    return frame, decide(frame, state.catalogue, state.policy)
