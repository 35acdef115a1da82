"""What actions would bring and cost, with intervals: E1, E2 and E4 of a simulation.

Intervals are analytic. Effects on retention and expansion are taken as normal and independent of each other; the error
of one effect is shared by all accounts (it is one belief), so that over accounts it adds up and does not average
out. That makes intervals of lists wide, and never too narrow for it. Of accounts that have left, what counts is the
effect on coming back, at the MRR that they had.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from serving.decisions.lift import BelievedLift, believed_lifts, believed_return
from serving.decisions.value import MONTHS, expansion
from serving.wilson import Z_90

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.actions.types import Situation, TypedAction
    from serving.decisions.catalogue import Action
    from serving.decisions.lift import Outcome

METHOD: Final = (
    "analytic: normal effects, retention and expansion independent, the error of an effect shared by all accounts; "
    "central 90 % intervals"
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its central 90 % interval."""

    mean: float
    low: float
    high: float

    def to_dict(self, digits: int = 6) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "mean": round(self.mean, digits),
            "interval_90": [round(self.low, digits), round(self.high, digits)],
        }

    def scaled(self, by: float, less: float = 0.0) -> Estimate:
        """Return it times *by* (not negative), less a known amount."""
        return Estimate(self.mean * by - less, self.low * by - less, self.high * by - less)


@dataclass(frozen=True, slots=True)
class Outlay:
    """One action on one account: what is at stake, what is believed, and what it takes.

    Attributes:
        mrr: The account's MRR; 0 if not known or if it has left.
        extra: MRR that its expansion would add; 0 if not known.
        churn: Its probability of leaving within the scored horizon.
        retain: Believed change of the chance of staying.
        expand: Believed change of the chance of expanding.
        complain: Believed rise of the probability of a complaint.
        back: Believed change of the chance of coming back; None unless the action is for accounts that have left.
        mrr_back: MRR that comes back with the account; 0 if not known.
        cost: Cost of the action.
        csm_minutes: Working time.
        give_away: Revenue of a year that is given up if the account takes it; of an action that wins back, times the
            chance that it comes back.
    """

    mrr: float
    extra: float
    churn: float
    retain: BelievedLift
    expand: BelievedLift
    complain: Estimate
    cost: float
    csm_minutes: float
    give_away: float
    back: BelievedLift | None = None
    mrr_back: float = 0.0

    @property
    def stakes(self) -> tuple[tuple[BelievedLift, float], ...]:
        """What is believed to change, each with the MRR that hangs on it."""
        if self.back is not None:
            return ((self.back, self.mrr_back),)
        return ((self.retain, self.mrr), (self.expand, self.extra))


def outlay(action: TypedAction, situation: Situation) -> Outlay:
    """Return what *action* is about for the account of *situation*."""
    frame, entry = situation.frame, situation.action
    if entry.wins_back:
        return _to_win_back(action, situation)
    retain, expand = believed_lifts(frame, entry) or (_unknown("retained"), _unknown("expanded"))
    known = frame.plan in situation.catalogue.plans_by_key
    extra = expansion(frame, situation.catalogue, entry, expand) if known else None
    return Outlay(
        mrr=_known(frame.number("mrr")),
        extra=_known(extra),
        churn=frame.churn_risk,
        retain=retain,
        expand=expand,
        complain=_complaint(entry),
        cost=entry.cost,
        csm_minutes=entry.csm_minutes,
        give_away=action.give_away(situation),
    )


def _to_win_back(action: TypedAction, situation: Situation) -> Outlay:
    frame, entry = situation.frame, situation.action
    back = believed_return(frame, entry) or _unknown("returned")
    returning = (frame.return_within_window or 0.0) + (back.mean if math.isfinite(back.mean) else 0.0)
    nothing = BelievedLift("retained", 0.0, 0.0, 0.0, "prior", None, is_claimed=False)
    return Outlay(
        mrr=_known(frame.number("mrr")),
        extra=0.0,
        churn=frame.churn_risk,
        retain=nothing,
        expand=replace(nothing, outcome="expanded"),
        complain=_complaint(entry),
        cost=entry.cost,
        csm_minutes=entry.csm_minutes,
        give_away=action.give_away(situation) * min(1.0, max(0.0, returning)),
        back=back,
        mrr_back=_known(frame.number("mrr_at_end")),
    )


def _complaint(entry: Action) -> Estimate:
    mean, spread = entry.priors.complain.mean, Z_90 * entry.priors.complain.sd
    return Estimate(mean, max(0.0, mean - spread), min(1.0, mean + spread))


def _unknown(outcome: Outcome) -> BelievedLift:
    """Return that nothing is known of an effect; no projection counts it."""
    return BelievedLift(outcome, math.nan, math.nan, math.nan, "prior", None)


def _known(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0


def projection(outlays: Sequence[Outlay], margin: float, currency: str) -> dict[str, Any]:
    """Return what all of *outlays* together would bring and cost, as the API shows it.

    Args:
        outlays: One for each account.
        margin: Gross margin of revenue, a share.
        currency: ISO 4217 code.
    """
    mrr = sum(one.mrr for one in outlays)
    gain = _sum([pair for one in outlays for pair in one.stakes])
    kept = _sum([(one.retain, 1.0) for one in outlays])
    cost, given = sum(one.cost for one in outlays), sum(one.give_away for one in outlays)
    count = max(1, len(outlays))
    churn = sum(one.churn for one in outlays) / count
    complaints = [one.complain for one in outlays]
    leavers = [one for one in outlays if one.back is not None]
    back = _sum([(one.back, 1.0) for one in leavers if one.back is not None])
    won = {
        "accounts": len(leavers),
        "accounts_back": back.to_dict(),
        "mrr": round(sum(one.mrr_back for one in leavers), 2),
    }
    return {
        "accounts": len(outlays),
        "currency": currency,
        "incremental_mrr": gain.to_dict(2),
        "incremental_nrr_ratio": (gain.scaled(1 / mrr) if mrr else Estimate(0.0, 0.0, 0.0)).to_dict(),
        "margin_year": gain.scaled(margin * MONTHS, less=cost + margin * given).to_dict(2),
        "churn_risk": {
            "without": round(churn, 6),
            "with": Estimate(
                *(min(1.0, max(0.0, churn - change / count)) for change in (kept.mean, kept.high, kept.low))
            ).to_dict(),
        },
        **({"win_back": won} if leavers else {}),
        "complaint_risk": Estimate(
            *(sum(getattr(one, name) for one in complaints) / count for name in ("mean", "low", "high"))
        ).to_dict(),
        "budget": {"cost": round(cost, 2), "discounts_year": round(given, 2)},
        "csm_minutes": round(sum(one.csm_minutes for one in outlays), 1),
        "basis": "uplift" if outlays and all(_is_learnt(one) for one in outlays) else "prior",
        "method": METHOD,
    }


def _is_learnt(one: Outlay) -> bool:
    return all(lift.basis == "uplift" for lift, _ in one.stakes if (lift.low, lift.high) != (0.0, 0.0))


def _sum(stakes: Sequence[tuple[BelievedLift, float]]) -> Estimate:
    """Return the sum over accounts of lifts times what is at stake; see the module on its interval."""
    mean = 0.0
    below: dict[Outcome, float] = defaultdict(float)
    above: dict[Outcome, float] = defaultdict(float)
    for lift, stake in stakes:
        if not all(map(math.isfinite, (lift.mean, lift.low, lift.high))):
            continue
        mean += lift.mean * stake
        below[lift.outcome] += (lift.mean - lift.low) * stake
        above[lift.outcome] += (lift.high - lift.mean) * stake
    return Estimate(mean, mean - math.hypot(*below.values()), mean + math.hypot(*above.values()))
