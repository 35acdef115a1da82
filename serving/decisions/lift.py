"""What an action is believed to change: an effect that draws taught or moved where the bundle has one, else a prior.

A propensity is never a lift. It bounds one (nobody can be kept who would have stayed), and it turns the prior that
is declared as a relative reduction of churn into an absolute change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from serving.wilson import Z_90

if TYPE_CHECKING:
    from collections.abc import Collection

    from serving.decisions.catalogue import Action
    from serving.decisions.catalogue import Lift as Prior
    from serving.decisions.frame import DecisionFrame, Effect

Outcome = Literal["retained", "expanded", "returned"]
Basis = Literal["uplift", "prior"]

MOVED_BY_DRAWS: Final = frozenset({"uplift", "blend"})
"""Bases of a bundle's effects that know more than the catalogue; see `serving.bundle.manifest.Effect`."""

SURE: Final[dict[Outcome, float]] = {"retained": 0.98, "expanded": 0.95, "returned": 0.95}
"""Chance of the good outcome from which on an account is a sure thing, unless a lift was surely measured."""
LOST: Final[dict[Outcome, float]] = {"retained": 0.05, "expanded": 0.01, "returned": 0.01}
"""Chance of the good outcome up to which an account is a lost cause, likewise."""

_TO: Final[dict[Outcome, str]] = {
    "retained": "to stay", "expanded": "to expand", "returned": "to come back",
}  # fmt: skip
_WILL: Final[dict[Outcome, str]] = {"retained": "stays", "expanded": "expands", "returned": "comes back"}
_WONT: Final[dict[Outcome, str]] = {
    "retained": "leaves", "expanded": "does not expand", "returned": "does not come back",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BelievedLift:
    """The absolute change of the probability of one outcome.

    Attributes:
        outcome: `retained`, `expanded` or `returned`.
        mean: Expected change.
        low: Lower end of the central 90 % interval.
        high: Upper end of it.
        basis: `uplift` if it was learnt from draws, `prior` if it is declared, draws having moved it or not.
        baseline: Chance of the outcome as it is; None if not known.
        is_claimed: Whether anything is believed at all; a prior that nobody declared claims nothing.
    """

    outcome: Outcome
    mean: float
    low: float
    high: float
    basis: Basis
    baseline: float | None
    is_claimed: bool = True

    @property
    def harms(self) -> bool:
        """Whether the action surely makes the outcome less likely."""
        return self.high < 0.0

    @property
    def is_sure_thing(self) -> bool:
        """Whether the outcome comes anyway."""
        return self.baseline is not None and self.baseline >= SURE[self.outcome]

    @property
    def is_lost_cause(self) -> bool:
        """Whether the outcome is out of reach."""
        return self.baseline is not None and self.baseline <= LOST[self.outcome]


def believed_lifts(frame: DecisionFrame, action: Action) -> tuple[BelievedLift, BelievedLift] | None:
    """Return what *action* changes in the account's chance of staying and in its chance of expanding.

    None if the bundle should know, and gave no number.

    An effect of the bundle that draws of the action moved, found by its key first and then by its type, goes before the
    catalogue's prior. It counts as learnt only where the draws weigh more than the prior: a prior that a few draws
    moved a little is a better prior, and measures nothing. It is cut where it says more than is left: an account that
    leaves with a probability of 3 % can't be kept with one of 5 %. The retain prior is a relative reduction of churn.
    """
    leaving, expanding = frame.churn_within_window, frame.upsell_within_window
    retained = frame.effect(action.key, action.type, "retained")
    expanded = frame.effect(action.key, action.type, "expanded")
    priors = action.priors
    retain = (
        _declared("retained", priors.retain, frame.churn_risk, 1.0 - leaving)
        if retained is None or retained.basis not in MOVED_BY_DRAWS
        else _moved("retained", retained, 1.0 - leaving)
    )
    expand = (
        _declared("expanded", priors.expand, 1.0, expanding)
        if expanded is None or expanded.basis not in MOVED_BY_DRAWS
        else _moved("expanded", expanded, expanding)
    )
    return None if retain is None or expand is None else (retain, expand)


def believed_return(frame: DecisionFrame, action: Action) -> BelievedLift | None:
    """Return what *action* changes in the chance that the account, which has left, comes back.

    As `believed_lifts` does of the other outcomes. The prior is an absolute rise, as often too few return for a
    relative one to be known. Where the bundle tells how likely a return is, none is believed to more than double it.
    """
    back, effect = frame.return_within_window, frame.effect(action.key, action.type, "returned")
    if effect is None or effect.basis not in MOVED_BY_DRAWS:
        prior = action.priors.win_back
        scale = 1.0 if back is None or prior.mean <= back else back / prior.mean
        return _declared("returned", prior, scale, back)
    return _moved("returned", effect, back)


def _moved(outcome: Outcome, effect: Effect, baseline: float | None) -> BelievedLift | None:
    if effect.mean is None or effect.standard_error is None:
        return None
    spread = Z_90 * effect.standard_error
    left = 1.0 if baseline is None else 1.0 - baseline
    mean, low, high = (
        min(value, left) for value in (effect.mean, effect.mean - spread, effect.mean + spread)
    )
    return BelievedLift(outcome, mean, low, high, "uplift" if effect.basis == "uplift" else "prior", baseline)


def _declared(outcome: Outcome, prior: Prior, scale: float, baseline: float | None) -> BelievedLift:
    mean, spread = prior.mean * scale, Z_90 * prior.sd * scale
    claimed = prior.mean != 0.0 or prior.sd != 0.0
    return BelievedLift(outcome, mean, mean - spread, mean + spread, "prior", baseline, claimed)


def why_suppressed(
    lifts: Collection[BelievedLift], aim: BelievedLift, *, surely: bool
) -> tuple[str, str] | None:
    """Return code and sentence of why an action is not for the account whatever it costs, or None.

    Args:
        lifts: What the action changes.
        aim: The one of them from which most is hoped.
        surely: Whether all of it together is surely worth something: its lower bound is above zero.
    """
    harmed = next((lift for lift in lifts if lift.harms), None)
    if harmed is not None:
        span = f"{harmed.low * 100:+.1f} to {harmed.high * 100:+.1f} points"
        return "sleeping_dog", f"Would do harm: it changes the chance {_TO[harmed.outcome]} by {span}"
    if not any(lift.is_claimed for lift in lifts):
        on = "coming back" if aim.outcome == "returned" else "staying or expanding"
        return "lift_not_above_zero", f"No effect on {on} is believed in"
    measured = surely and aim.basis == "uplift"
    if aim.is_sure_thing and not measured:
        return "sure_thing", f"The account {_WILL[aim.outcome]} anyway, with a chance of {aim.baseline:.1%}"
    # That an action lifts few expansions, or returns, to some is what a prior says of it; that it keeps those who leave
    # is not.
    if aim.is_lost_cause and not measured and not (surely and aim.outcome != "retained"):
        return (
            "lost_cause",
            f"The account {_WONT[aim.outcome]} anyway; the other chance is {aim.baseline:.1%}",
        )
    if not surely:
        return "lift_not_above_zero", "The lower bound of the believed effect is not above zero"
    return None
