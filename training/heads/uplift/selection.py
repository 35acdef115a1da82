"""Which learner ships: the one whose heads come closest to the effects of later draws that none of them has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.heads.uplift.learners import EXPORTABLE, LearnerName

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
        decided: Whether any learner beat the averages alone; if none did, doubly robust ships, and has no trees
            unless all draws together bear them out.
        improvement: Per learner, how much its squared error against the pseudo-effects is below that of the averages
            alone, with an interval over accounts; above zero is better.
    """

    learner: LearnerName
    decided: bool
    improvement: dict[LearnerName, Estimate]

    def as_dict(self) -> dict[str, Any]:
        """Return the choice for JSON; values are in units of 1e-6 squared probability."""
        return {
            "learner": self.learner,
            "decided": self.decided,
            "improvement_over_averages_e6": {
                name: Estimate(*(1e6 * number for number in (one.value, one.low, one.high))).as_dict()
                for name, one in self.improvement.items()
            },
        }


def choose_learner(
    fits: Mapping[LearnerName, tuple[Fit, ...]], later: Draws, *, samples: int, seed: int
) -> Choice:
    """Return the learner of the least loss on *later* draws, all actions together.

    The loss is the squared distance of a head's effect from the draw's pseudo-effect, weighted by what the draw tells
    (the R-loss of Nie and Wager, 2021, and the doubly robust loss of Kennedy, 2020, agree in this with known
    propensities). The pseudo-effect is noisy but unbiased, so differences of the loss between heads are unbiased too.

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
    improvement = {}
    for name, parts in gained.items():
        gain = np.concatenate(parts)
        improvement[name] = bootstrap.estimate(
            lambda times, gain=gain: times @ (weight * gain) / (times @ weight)  # type: ignore[misc]
        )
    candidates = [name for name in EXPORTABLE if name in improvement]
    best = max(candidates, key=lambda name: improvement[name].value)
    decided = improvement[best].value > 0
    return Choice(best if decided else candidates[0], decided, improvement)
