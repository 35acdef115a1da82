"""Which learner ships: S, unless later draws say that another one comes surely closer to the effects.

Differences between learners are mostly smaller than their noise, and whoever takes the winner of each comparison takes
chance. So one learner is the default, and another one has to beat it beyond noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.heads.uplift.learners import DEFAULT, LearnerName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.heads.uplift.fitting import Draws, Fit
    from training.treatments import LoggedTreatments


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Draws to learn from, and later ones to judge by; masks of shape (n,).

    Attributes:
        train: Their outcomes were known when the held-out draws began.
        held_out: The later draws.
        by: `time`, or `accounts` where all draws were made at once.
    """

    train: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    by: str


def split_later(treatments: LoggedTreatments, held_out_share: float, seed: int) -> TimeSplit:
    """Split draws by time; the outcome window of a training draw ends before the first held-out one.

    A trial whose draws were all made at once is split by accounts.

    Args:
        treatments: n draws.
        held_out_share: Share of the draws that are held out.
        seed: Seed of the split by accounts.
    """
    moment = treatments.treated_at
    if len(moment) and moment.min() < moment.max():
        begin = np.sort(moment)[min(len(moment) - 1, int((1 - held_out_share) * len(moment)))]
        return TimeSplit(treatments.known_by(begin), np.asarray(moment >= begin, dtype=np.bool_), "time")
    _, of_row = np.unique(treatments.account_id.astype(str), return_inverse=True)
    accounts = int(of_row.max()) + 1 if len(of_row) else 0
    held = np.random.default_rng(seed).random(accounts)[of_row] < held_out_share
    return TimeSplit(~held, held, "accounts")


@dataclass(frozen=True, slots=True)
class Choice:
    """What came of comparing learners on one outcome.

    Attributes:
        learner: The one to ship.
        decided: Whether it was surely closer than the default, and not the default itself.
        improvement: Per learner, how much its squared error against the pseudo-effects is below that of the averages
            alone, with an interval over accounts; above zero is better.
        over_default: Per other learner, how much its squared error is below that of the default, likewise.
    """

    learner: LearnerName
    decided: bool
    improvement: dict[LearnerName, Estimate]
    over_default: dict[LearnerName, Estimate]

    def as_dict(self) -> dict[str, Any]:
        """Return the choice for JSON; values are in units of 1e-6 squared probability."""
        return {
            "learner": self.learner,
            "decided": self.decided,
            "improvement_over_averages_e6": _millionths(self.improvement),
            "improvement_over_default_e6": _millionths(self.over_default),
        }


def choose_learner(
    fits: Mapping[LearnerName, tuple[Fit, ...]], later: Draws, *, samples: int, seed: int
) -> Choice:
    """Return the learner to ship by its loss on *later* draws, all actions together.

    The loss is the squared distance of a head's effect from the draw's pseudo-effect, weighted by what the draw tells
    (the R-loss of Nie and Wager, 2021, and the doubly robust loss of Kennedy, 2020, agree in this with known
    propensities). The pseudo-effect is noisy but unbiased, so differences of the loss between heads are unbiased too.
    The default (the first learner, where it isn't among them) gives way to the learner of the least loss of those
    whose improvement over it is sure although several were tried: more than as many standard errors above zero as
    leave 2.5 % to all of them together (Bonferroni), the standard error by the lower half of the 95 % interval.

    Args:
        fits: Per learner, the heads of every action, fitted to earlier draws.
        later: Draws that no head has seen.
        samples: Resamples of the accounts.
        seed: Seed of the resampling.
    """
    gained: dict[LearnerName, list[NDArray[np.float64]]] = {name: [] for name in fits}
    weights, accounts = [], []
    for action in range(len(later.treatments.actions)):
        rows, positions = later.effect_rows(action)
        pseudo = rows.pseudo_effect()
        churn = None if later.churn_probability is None else later.churn_probability[positions]
        weights.append(rows.overlap)
        accounts.append(rows.account_id)
        for name, heads in fits.items():
            head = heads[action].head
            alone = head.average * head.prior.units(len(positions), churn)
            effect = head.effects(rows.matrix, churn)[0]
            gained[name].append((pseudo - alone) ** 2 - (pseudo - effect) ** 2)
    weight = np.concatenate(weights)
    bootstrap = AccountBootstrap(np.concatenate(accounts), samples=samples, seed=seed)
    gain = {name: np.concatenate(parts) for name, parts in gained.items()}

    def estimate(values: NDArray[np.float64]) -> Estimate:
        return bootstrap.estimate(lambda times: times @ (weight * values) / (times @ weight))

    default = DEFAULT if DEFAULT in gain else next(iter(gain))
    over_default = {name: estimate(gain[name] - gain[default]) for name in gain if name != default}
    errors = NormalDist().inv_cdf(1.0 - 0.025 / max(1, len(over_default))) / NormalDist().inv_cdf(0.975)
    surely = [
        name
        for name, one in over_default.items()
        if one.value > errors * (one.value - one.low) and one.value > 0
    ]
    best = max(surely, key=lambda name: over_default[name].value, default=default)
    return Choice(best, bool(surely), {name: estimate(one) for name, one in gain.items()}, over_default)


def _millionths(found: Mapping[LearnerName, Estimate]) -> dict[str, Any]:
    return {
        name: Estimate(*(1e6 * number for number in (one.value, one.low, one.high))).as_dict()
        for name, one in found.items()
    }
