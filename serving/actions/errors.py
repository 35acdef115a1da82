"""Why an action is not simulated, applied, approved or undone; `api/actions.py` turns them into HTTP answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.decisions.autonomy import FIRST, NEEDED
from serving.errors import ServingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.actions.checks import Verdict
    from serving.decisions.autonomy import AppliedBy, Level


class ActionError(ServingError):
    """Base of the refusals of this package."""


class UnknownSource(ActionError):  # noqa: N818 -- names the state that a caller meets, as all of these do
    """The ledger has no simulation or decision with this id that an action could be applied by."""


class UnknownReceipt(ActionError):  # noqa: N818
    """The ledger has no receipt with this id."""


class KeyReused(ActionError):  # noqa: N818
    """The idempotency key was used for another request."""


class Expired(ActionError):  # noqa: N818
    """The simulation or decision is too old to be applied."""


class AlreadyApplied(ActionError):  # noqa: N818
    """The simulation or decision was applied before, under another key."""

    def __init__(self, receipt_id: str) -> None:
        super().__init__(f"it was applied before; receipt {receipt_id} says what became of it")
        self.receipt_id = receipt_id


class Refused(ActionError):  # noqa: N818
    """The action does not pass policy, holdouts or its own checks now."""

    def __init__(self, stopped_by: Sequence[Verdict]) -> None:
        super().__init__("; ".join(one.text for one in stopped_by))
        self.stopped_by = tuple(stopped_by)


class ApprovalsMissing(ActionError):  # noqa: N818
    """Too few people other than the proposer have agreed."""

    def __init__(self, needed: int, given: Sequence[str]) -> None:
        super().__init__(f"{needed} approvals are needed, and {len(given)} given")
        self.needed = needed
        self.given = tuple(given)


class LevelTooLow(ActionError):  # noqa: N818
    """The action has not come far enough on the ladder of autonomy to be applied in this way."""

    def __init__(self, action: str, level: Level, by: AppliedBy) -> None:
        needed = NEEDED[by]
        if level == FIRST:
            text = "nothing that is in shadow is applied"
        elif by == "decision":
            text = "simulate it first, and apply the simulation"
        else:
            text = "a person has to ask for it"
        super().__init__(
            f"{action} is at {level}, and to be applied by a {by} it has to be at {needed}: {text}"
        )
        self.action = action
        self.level = level
        self.needed = needed


class OwnProposal(ActionError):  # noqa: N818
    """Who proposes an action can't approve it."""


class WrongToken(ActionError):  # noqa: N818
    """The rollback token is not that of the receipt."""


class NotReversible(ActionError):  # noqa: N818
    """The effect has left, and nothing undoes it."""
