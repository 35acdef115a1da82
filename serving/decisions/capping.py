"""What caps say of one candidate: whether it falls, whether it may only be drafted, and what it uses if it wins."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from serving.decisions.caps import CUSTOMER_SURFACES, Use, breached, cohort_of
from serving.decisions.decision import Refusal, utc_text
from serving.decisions.policy.stages import BUDGET_STAGE, CONTACT_STAGE

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action
    from serving.decisions.decision import Proposal
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.compiled import Policy


def wanted_uses(frame: DecisionFrame, policy: Policy, action: Action) -> tuple[Use, ...]:
    """Return what *action* would use of caps; one that is recommended to the account already has been counted."""
    if action.key in frame.caps_held:
        return ()
    return policy.cap_uses.of(action, frame.account_id, frame.lane, cohort_of(frame))


def cap_fault(frame: DecisionFrame, wanted: tuple[Use, ...], action: Action, stage: str) -> Refusal | None:
    """Return the cap of *stage* by which *action*, which uses *wanted*, falls, or None.

    Caps that count each account apart are contact policy; the others are budgets.
    """
    here = [use for use in wanted if _stage(use) == stage]
    if here and frame.caps_used is None:
        return Refusal(action.key, stage, "caps_unknown", "What is used of caps and budgets is not known")
    for use in breached(frame.caps_used or {}, here):
        if use.cap.on_breach == "refuse":
            text = use.cap.reason((frame.caps_used or {}).get(use.key, 0))
            return Refusal(action.key, stage, use.cap.id, text, use.cap.id)
    return None


def drafted_by(frame: DecisionFrame, wanted: tuple[Use, ...]) -> tuple[str, ...]:
    """Return the caps that are used up and let an action that uses *wanted* be prepared only."""
    over = breached(frame.caps_used or {}, wanted)
    return tuple(use.cap.id for use in over if use.cap.on_breach == "draft")


def reservation(
    frame: DecisionFrame, policy: Policy, winner: Proposal | None, decision_id: str
) -> dict[str, Any] | None:
    """Return what *winner* uses of caps, or None if it uses nothing: customers don't see it, or it is a draft.

    An action that is recommended already goes by its earlier reservation.
    """
    if winner is None or winner.drafted_by or frame.surface not in CUSTOMER_SURFACES:
        return None
    held = frame.caps_held.get(winner.action.key)
    if held is not None:
        return {"id": held, "uses": [], "given_back_at": None}
    wanted = wanted_uses(frame, policy, winner.action)
    if not wanted:
        return None
    given_back_at = frame.now + dt.timedelta(minutes=policy.document.hold_minutes)
    return {
        "id": decision_id,
        "uses": [use.to_dict() for use in wanted],
        "given_back_at": utc_text(given_back_at),
    }


def _stage(use: Use) -> str:
    return CONTACT_STAGE if "account" in use.cap.per else BUDGET_STAGE
