"""Which candidate wins in the account's arm, and with what chance: holdouts and arms are draws whose odds are known.

The chances are logged with each decision. With them, what came of past decisions tells what another way of deciding
would have brought (inverse propensity scoring), and effects of actions are learnt without bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from serving.decisions.arms import NOTHING
from serving.decisions.decision import Refusal
from serving.decisions.policy.stages import ARBITRATION_STAGE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from serving.decisions.arms import Arm
    from serving.decisions.candidates import Candidate
    from serving.decisions.policy.compiled import Policy

_DIGITS: Final = 9

RankKey = tuple[bool, float, float, str]


@dataclass(frozen=True, slots=True)
class Draw:
    """What chance had to do with a decision.

    Attributes:
        arm: The account's arm.
        held_out: What the account is held out of, in order.
        chances: The chance of each action that an account as this one could get, and of `nothing`.
        came: Name of what came: an action's key, or `nothing`.
    """

    arm: Arm
    held_out: tuple[str, ...]
    chances: Mapping[str, float]
    came: str

    def to_dict(self) -> dict[str, Any]:
        """Return the draw as the API shows it."""
        chances = {name: round(chance, _DIGITS) for name, chance in sorted(self.chances.items())}
        return {
            "arm": self.arm,
            "held_out": list(self.held_out),
            "propensity": chances[self.came],
            "propensities": chances,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What arbitration comes to.

    Attributes:
        ranked: The winner and its alternatives, best first.
        refused: Why every other candidate fell.
    """

    ranked: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]


def arbitrate(
    candidates: Sequence[Candidate], policy: Policy, account_id: str, arm: Arm, now: dt.datetime
) -> Outcome:
    """Return the winner among *candidates* in *arm*, its alternatives, and why the others fell.

    Args:
        candidates: Actions that all rules allow, none of them held out.
        policy: Its arms and salt.
        account_id: Whose lot is drawn.
        arm: The account's arm.
        now: Time of the decision.
    """
    if arm == "random_eligible":
        drawn = _drawn(candidates, policy, account_id, now)
        ranked = [one for one in candidates if one.key == drawn]
        came = "nothing" if drawn == NOTHING else "another action"
        code, text = "not_drawn", f"The account's arm draws among all that is allowed, and drew {came}"
    else:
        ranked = sorted(filter(_TAKES[arm], candidates), key=_RANKS[arm])
        code, text = (
            "not_worth_by_propensity",
            "The account's arm goes by propensity, and by that it does not pay",
        )
    kept = {one.key for one in ranked}
    refused = [
        one.refusal or Refusal(one.key, ARBITRATION_STAGE, code, text)
        for one in candidates
        if one.key not in kept
    ]
    return Outcome(tuple(ranked), tuple(refused))


def chances(candidates: Sequence[Candidate], policy: Policy) -> dict[str, float]:
    """Return the chance of each action, and of `nothing`, over all draws of holdouts, arms and lots.

    Args:
        candidates: Actions that all rules allow, held out or not.
        policy: Its holdouts and arms.
    """
    found = dict.fromkeys((one.key for one in candidates), 0.0)
    found[NOTHING] = policy.holdouts.share
    drawn = {
        name: share
        for name, share in policy.holdouts.programmes.items()
        if share > 0 and any(one.proposal.action.playbook == name for one in candidates)
    }
    for held in product((False, True), repeat=len(drawn)):
        weight = 1.0 - policy.holdouts.share
        for is_held, share in zip(held, drawn.values(), strict=True):
            weight *= share if is_held else 1.0 - share
        out = {name for name, is_held in zip(drawn, held, strict=True) if is_held}
        left = [one for one in candidates if one.proposal.action.playbook not in out]
        for arm, share in policy.arms.shares().items():
            for name, chance in _chances_in(arm, left):
                found[name] += weight * share * chance
    return {name: chance for name, chance in found.items() if chance > 0}


def _chances_in(arm: Arm, left: Sequence[Candidate]) -> list[tuple[str, float]]:
    if arm == "random_eligible":
        names = [*(one.key for one in left if _in_the_draw(one)), NOTHING]
        return [(name, 1.0 / len(names)) for name in names]
    best = min(filter(_TAKES[arm], left), key=_RANKS[arm], default=None)
    return [(NOTHING if best is None else best.key, 1.0)]


def _drawn(left: Sequence[Candidate], policy: Policy, account_id: str, now: dt.datetime) -> str:
    """Return the name with the lowest lot among those in the draw."""
    names = [*(one.key for one in left if _in_the_draw(one)), NOTHING]
    salt = policy.holdouts.salt
    return min(names, key=lambda name: policy.arms.lot(salt, account_id, name, now))


def _stands(one: Candidate) -> bool:
    return one.appraisal.fault is None


def _may_be_drawn(one: Candidate) -> bool:
    return one.appraisal.may_be_drawn


def _in_the_draw(one: Candidate) -> bool:
    return one.appraisal.may_be_drawn and not one.proposal.drafted_by


def _by_value(one: Candidate) -> RankKey:
    return one.proposal.rank_key


def _by_amount(one: Candidate) -> RankKey:
    proposal = one.proposal
    return (bool(proposal.drafted_by), -proposal.value.amount, proposal.action.cost, proposal.action.key)


def _by_propensity(one: Candidate) -> RankKey:
    action = one.proposal.action
    return (bool(one.proposal.drafted_by), -one.appraisal.by_propensity, action.cost, action.key)


def _pays_by_propensity(one: Candidate) -> bool:
    return _may_be_drawn(one) and one.appraisal.by_propensity > 0


_TAKES: Final[dict[Arm, Callable[[Candidate], bool]]] = {
    "full": _stands,
    "no_levers": _stands,
    "propensity_only": _pays_by_propensity,
}
_RANKS: Final[dict[Arm, Callable[[Candidate], RankKey]]] = {
    "full": _by_value,
    "no_levers": _by_amount,
    "propensity_only": _by_propensity,
}
