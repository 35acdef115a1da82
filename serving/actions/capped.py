"""Caps when an action is applied: its uses are reserved before it is written, and kept once it is.

A decision reserves only what customers see at once; what a person applies is counted here. A reservation bears the id
of the simulation or decision, so a repeated request reserves nothing twice. If the process ends in between, the uses
are given back by themselves after a while, as those of every action that was not shown.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from serving.actions.checks import Verdict
from serving.actions.errors import Refused
from serving.caps.store import CapStore, Reservation
from serving.decisions.caps import CapUses, breached, cohort_of
from serving.decisions.policy.stages import BUDGET_STAGE
from serving.errors import StoreUnavailable

if TYPE_CHECKING:
    from serving.actions.sources import Source
    from serving.decisions.caps import Use
    from serving.decisions.catalogue import Action
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.document import PolicyDocument

log = structlog.get_logger("keepgrow.actions")


@dataclass(frozen=True, slots=True)
class Held:
    """What an action uses of caps.

    Attributes:
        reservation_id: The reservation that holds it.
        uses: Each cap with its key and amount.
    """

    reservation_id: str
    uses: tuple[Use, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as decisions and receipts show it; what was applied is not given back."""
        return {
            "id": self.reservation_id,
            "uses": [use.to_dict() for use in self.uses],
            "given_back_at": None,
        }


class AppliedCaps:
    """Counts what applied actions use of one policy's caps."""

    def __init__(self, store: CapStore, policy: PolicyDocument, deadline_seconds: float) -> None:
        """Describe the counter.

        Args:
            store: Counts uses; who opened it closes it.
            policy: Says the caps.
            deadline_seconds: Longest time that one question to the store may take.
        """
        self._store = store
        self._policy = policy
        self._uses = CapUses(policy.caps)
        self._deadline = deadline_seconds

    async def reserve(self, source: Source, action: Action, frame: DecisionFrame) -> Held | None:
        """Reserve what *action* uses, and return that; None if it uses nothing.

        Raises:
            Refused: A cap would be passed.
            StoreUnavailable: The store did not answer in time.
        """
        wanted = self._uses.of(action, frame.account_id, frame.lane, cohort_of(frame))
        if not wanted:
            return None
        asked = Reservation(
            reservation_id=source.reservation_id(action.key),
            account_id=frame.account_id,
            action=action.key,
            surface=source.surface,
            uses=wanted,
            given_back_at=frame.now + dt.timedelta(minutes=self._policy.hold_minutes),
            valid_seconds=0,
        )
        answer = await self._store.reserve(asked, frame.now, self._deadline)
        if answer.granted:
            return Held(answer.reservation_id, wanted)
        raise Refused(
            [
                Verdict(
                    BUDGET_STAGE, use.cap.id, passed=False, text=use.cap.reason(answer.used.get(use.key, 0))
                )
                for use in breached(answer.used, wanted)
            ]
        )

    async def keep(self, held: Held, now: dt.datetime) -> None:
        """Count what is held for its whole window; a store that is gone by now is no reason to fail what was done."""
        try:
            await self._store.keep(held.reservation_id, now, self._deadline)
        except StoreUnavailable as error:
            log.warning("use_not_kept", reservation_id=held.reservation_id, reason=str(error))
