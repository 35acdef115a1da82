"""Caps on the way of a decision: what is used, read before it; what the winner uses, reserved after it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.caps.store import CapStore, Reservation, recommendation
from serving.decisions.caps import CapUses, Cohort, Lane, cohort_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.decisions.catalogue import Catalogue
    from serving.decisions.decision import Decision
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.document import PolicyDocument


@dataclass(frozen=True, slots=True)
class CapsUsed:
    """What an account's decision must know of caps.

    Attributes:
        used: What is used, by key, in whole units.
        held: Reservation of each action that is recommended to the account on this surface already.
    """

    used: Mapping[str, int]
    held: Mapping[str, str]


class CapKeeper:
    """Reads and reserves what the actions of one catalogue use of one policy's caps."""

    def __init__(
        self, store: CapStore, policy: PolicyDocument, catalogue: Catalogue, deadline_seconds: float
    ) -> None:
        """Describe the keeper.

        Args:
            store: Counts uses.
            policy: Says the caps.
            catalogue: The actions.
            deadline_seconds: Longest time that one question to the store may take.
        """
        self._store = store
        self._caps = policy.caps
        self._uses = CapUses(policy.caps)
        self._hold = dt.timedelta(minutes=policy.hold_minutes)
        self._actions = catalogue.actions
        self._deadline = deadline_seconds

    async def usage(
        self,
        account_id: str,
        surface: str | None,
        now: dt.datetime,
        lane: Lane = "interactive",
        cohort: Cohort | None = None,
    ) -> CapsUsed:
        """Return what a decision about *account_id* must know; nothing is asked if the policy has no caps.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        if not self._caps:
            return CapsUsed({}, {})
        wanted = self._uses.counters(self._actions, account_id, lane, cohort)
        names = {recommendation(action.key, surface, account_id): action.key for action in self._actions}
        used, held = await self._store.usage(list(wanted.items()), list(names), now, self._deadline)
        return CapsUsed(used, {names[name]: reservation for name, reservation in held.items()})

    async def reserve(self, decision: Decision, frame: DecisionFrame) -> CapsUsed | None:
        """Reserve what the winner of *decision* uses.

        Args:
            decision: A decision that `uses_caps`.
            frame: What it was made from.

        Returns:
            None if it is reserved. Else what is known now, to decide again by: a limit would be passed after all, or
            another request has just reserved the same recommendation.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        if decision.winner is None:
            return None
        action = decision.winner.action
        asked = Reservation(
            reservation_id=decision.decision_id,
            account_id=frame.account_id,
            action=action.key,
            surface=frame.surface,
            uses=self._uses.of(action, frame.account_id, frame.lane, cohort_of(frame)),
            given_back_at=frame.now + self._hold,
            valid_seconds=max(0, int((decision.valid_until - frame.now).total_seconds())),
        )
        answer = await self._store.reserve(asked, frame.now, self._deadline)
        if not answer.granted:
            return CapsUsed(answer.used, {})
        if answer.reservation_id != decision.decision_id:
            return CapsUsed(answer.used, {action.key: answer.reservation_id})
        return None

    async def shown(self, reservation_id: str, now: dt.datetime) -> bool:
        """Say that what was reserved has been shown, so it is not given back; return whether that was open."""
        return await self._store.keep(reservation_id, now, self._deadline)

    async def not_shown(self, reservation_id: str, now: dt.datetime) -> bool:
        """Give back what was reserved; return whether there was such a reservation."""
        return await self._store.release(reservation_id, now, self._deadline)

    async def sweep(self, now: dt.datetime) -> int:
        """Give back what was not shown in time; return how many reservations."""
        return await self._store.sweep(now, self._deadline) if self._caps else 0

    async def close(self) -> None:
        """Close the connections."""
        await self._store.close()
