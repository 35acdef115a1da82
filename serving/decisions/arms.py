"""Control arms: small shares of accounts that are decided about in a simpler way, to prove the full policy by.

Beside the holdouts, which get nothing, three arms tell what each part of the policy is worth: eligible actions at
random, ranking by propensity, and ranking without the business's levers. An account's arm is a salted hash of its id,
as its holdouts are, and independent of them. All rules of the policy hold in every arm.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.decisions.holdouts import position

Arm = Literal["full", "random_eligible", "propensity_only", "no_levers"]
CONTROL_ARMS: Final[tuple[Arm, ...]] = ("random_eligible", "propensity_only", "no_levers")
NOTHING: Final = "nothing"
"""What is drawn beside the actions, and the name under which its chance is logged."""
_ARM: Final = "\0arm"
_DRAW: Final = "\0draw"
"""Names of hashes that no programme can have."""
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MOST: Final = 1 / len(CONTROL_ARMS)


class Arms(BaseModel):
    """Shares of accounts in each control arm; all others are under the full policy.

    A share may grow or shrink without moving any other account: each arm grows from a place of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    random_eligible: float = Field(
        default=0.0,
        ge=0,
        le=MOST,
        description="One of the actions that all rules allow and that surely do no harm, or none, each alike likely.",
    )
    propensity_only: float = Field(
        default=0.0,
        ge=0,
        le=MOST,
        description="Ranked by how likely the account is to leave or to expand, as if an action prevented or "
        "brought that about; the way without uplift.",
    )
    no_levers: float = Field(default=0.0, ge=0, le=MOST, description="As the full policy, without levers.")
    draw_days: int = Field(
        default=7, ge=1, le=365, description="For how many days a random draw holds for an account."
    )

    def of(self, salt: str, account_id: str) -> Arm:
        """Return the arm of *account_id*, the same for ever under one *salt*."""
        shares = self.shares()
        if len(shares) == 1:
            return "full"
        place = position(salt, _ARM, account_id)
        for number, arm in enumerate(CONTROL_ARMS):
            start = number * MOST
            if start <= place < start + shares.get(arm, 0.0):
                return arm
        return "full"

    def shares(self) -> dict[Arm, float]:
        """Return the share of each arm that has one; the full policy has the rest."""
        shares: dict[Arm, float] = {
            "random_eligible": self.random_eligible,
            "propensity_only": self.propensity_only,
            "no_levers": self.no_levers,
        }
        shares = {arm: share for arm, share in shares.items() if share > 0}
        return {"full": 1.0 - sum(shares.values()), **shares}

    def lot(self, salt: str, account_id: str, name: str, now: dt.datetime) -> float:
        """Return the number in [0, 1) that *name*, an action's key or `NOTHING`, has drawn for the account.

        The lowest wins. Lots of different names are independent, so each of the names that are in the draw is alike
        likely to win, whichever those are; and a name that leaves the draw moves nobody who drew another.
        """
        period = (now - _EPOCH) // dt.timedelta(days=self.draw_days)
        return position(salt, f"{_DRAW}\0{period}\0{name}", account_id)
