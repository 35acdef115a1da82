"""Which learner ships: S, unless draws say that another one comes surely closer to the effects.

Differences between learners are mostly smaller than their noise, and whoever takes the winner of each comparison takes
chance. So one learner is the default, and another one has to beat it beyond noise. The choice is made within the draws
that are learnt from, by folds of accounts, so that later draws judge heads of which they have not decided anything.

Averages alone are not among the candidates: how far each action's trees are believed is measured by itself, and a slope
of zero is the average alone. Where outcomes are rare and heavy, as money spent is, out-of-fold losses of trees that do
help often come out worse than the average's by chance, and one verdict over all actions gives away what they tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.heads.uplift.fitting import has_trees, measure, out_of_fold
from training.heads.uplift.learners import DEFAULT, LearnerName
from training.heads.uplift.shrinkage import held_out_slope, posterior

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from training.heads.uplift.draws import Draws
    from training.heads.uplift.learners import EffectRows
    from training.heads.uplift.settings import UpliftSettings
    from training.heads.uplift.shrinkage import Prior
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
        differences: By learner and action, what its trees say of each draw beyond the average, out of fold.
    """

    learner: LearnerName
    decided: bool
    improvement: dict[LearnerName, Estimate]
    over_default: dict[LearnerName, Estimate]
    differences: Mapping[LearnerName, Mapping[int, NDArray[np.float64]]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the choice for JSON; values are in units of 1e-6 squared probability."""
        return {
            "learner": self.learner,
            "decided": self.decided,
            "improvement_over_averages_e6": _millionths(self.improvement),
            "improvement_over_default_e6": _millionths(self.over_default),
        }


def choose_learner(
    learners: Sequence[LearnerName],
    draws: Draws,
    priors: Mapping[str, Prior],
    *,
    settings: UpliftSettings,
    samples: int,
    seed: int,
) -> Choice:
    """Return the learner to ship by its loss on folds of accounts that it has not seen, all actions together.

    The loss is the squared distance of a head's effect from the draw's pseudo-effect, weighted by what the draw tells
    (the R-loss of Nie and Wager, 2021, and the doubly robust loss of Kennedy, 2020, agree in this with known
    propensities). The pseudo-effect is noisy but unbiased, so differences of the loss between heads are unbiased too.
    Neither the trees nor the slope by which they count have seen the draw's fold.

    The default (the first learner, where it isn't among them) gives way to the best of those that are surely better.
    A learner is if it is ahead by more than as many standard errors as leave 2.5 % to all of them (Bonferroni), the
    standard error by the lower half of the 95 % interval.

    Args:
        learners: Which to compare, at least one.
        draws: From `Draws.cross_fitted`.
        priors: Declared effect of every action.
        settings: Sizes.
        samples: Resamples of the accounts.
        seed: Seed of trees and of the resampling.
    """
    gained: dict[LearnerName, list[NDArray[np.float64]]] = {name: [] for name in learners}
    default = DEFAULT if DEFAULT in gained else learners[0]
    judged = {
        action: priors[name]
        for action, name in enumerate(draws.treatments.actions)
        if has_trees(draws, action)
    }
    if draws.fold is None or not judged:
        return Choice(default, False, {}, {}, {})
    differences = {name: out_of_fold(name, draws, judged, settings=settings, seed=seed) for name in learners}
    weights, accounts = [], []
    for action, prior in judged.items():
        rows, positions = draws.effect_rows(action)
        average, _ = posterior(prior, measure(draws, action, prior))
        alone = average.mean * draws.units(prior, positions)
        weights.append(rows.overlap)
        accounts.append(rows.account_id)
        pseudo = rows.pseudo_effect()
        for name in learners:
            effect = alone + _believed(rows, differences[name][action], draws.fold[positions])
            gained[name].append((pseudo - alone) ** 2 - (pseudo - effect) ** 2)
    weight = np.concatenate(weights)
    bootstrap = AccountBootstrap(np.concatenate(accounts), samples=samples, seed=seed)
    gain = {name: np.concatenate(parts) for name, parts in gained.items()}

    def estimate(values: NDArray[np.float64]) -> Estimate:
        return bootstrap.estimate(lambda times: times @ (weight * values) / (times @ weight))

    others = {name: estimate(gain[name] - gain[default]) for name in gain if name != default}
    chosen = preferred(default, others)
    return Choice(
        chosen,
        chosen != default,
        {name: estimate(one) for name, one in gain.items()},
        others,
        differences,
    )


def preferred(default: LearnerName, others: Mapping[LearnerName, Estimate]) -> LearnerName:
    """Return what ships, by how far everything else is ahead of *default*; see `choose_learner`.

    Args:
        default: Ships unless something is surely better.
        others: Improvement of each other learner over it.
    """
    errors = NormalDist().inv_cdf(1.0 - 0.025 / max(1, len(others))) / NormalDist().inv_cdf(0.975)
    surely = {
        name: one.value
        for name, one in others.items()
        if one.value > errors * (one.value - one.low) and one.value > 0
    }
    return max(surely, key=surely.__getitem__, default=default)


def _believed(
    rows: EffectRows, difference: NDArray[np.float64], fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the differences times how far they came true in the other folds, shape (n,)."""
    found = np.zeros(len(difference))
    pseudo = rows.pseudo_effect()
    for number in np.unique(fold):
        inside, others = fold == number, fold != number
        slope = held_out_slope(
            pseudo[others], difference[others], rows.overlap[others], rows.account_id[others]
        )
        found[inside] = slope.shrunk * difference[inside]
    return found


def _millionths(found: Mapping[LearnerName, Estimate]) -> dict[str, Any]:
    return {
        name: Estimate(*(1e6 * number for number in (one.value, one.low, one.high))).as_dict()
        for name, one in found.items()
    }
