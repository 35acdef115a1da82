"""Learners of uplift on LightGBM with logged propensities: S, T, X and doubly robust.

Each gives bags: trees whose sum is the effect of x alone, as a graph needs them. T, X and DR take a weighted resample
of the draws between one action and nothing and are here; S takes the draws of all actions, too, and is in `single`.
S errs towards no effect at all and towards what actions have in common, the others by the noise of what they regress.
Where effects are faint beside that noise, as those of mails and offers mostly are, the first is the smaller error: S is
what ships by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from training.heads.uplift.regression import boosted, predicted

if TYPE_CHECKING:
    from collections.abc import Callable

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.heads.uplift.settings import UpliftSettings

LearnerName: TypeAlias = Literal["s", "dr", "x", "t"]
PerAction: TypeAlias = Literal["dr", "x", "t"]
"""Learners that take the draws between one action and nothing."""
LEARNERS: tuple[LearnerName, ...] = get_args(LearnerName)
EXPORTABLE: tuple[LearnerName, ...] = LEARNERS
DEFAULT: LearnerName = "s"
"""What ships unless held-out draws say that another one is surely better."""


@dataclass(frozen=True, slots=True)
class Bag:
    """The effect as one booster, or as the difference of two.

    Attributes:
        plus: Its prediction counts as it is.
        minus: Its prediction is taken off; None if there is none. In a graph: the same trees, leaf values negated.
    """

    plus: lgb.Booster
    minus: lgb.Booster | None = None

    def effect(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the effect on each row of *matrix*, shape (n,)."""
        plus = predicted(self.plus, matrix)
        return plus if self.minus is None else plus - predicted(self.minus, matrix)


@dataclass(frozen=True, slots=True)
class EffectRows:
    """n draws between one action and nothing.

    Attributes:
        matrix: Shape (n, f), features at the time of the draw.
        account_id: Shape (n,), object.
        treated: Shape (n,), whether the action was taken.
        chance: Shape (n,), the chance of it.
        outcome: Shape (n,).
        expected: Shape (r, n, 2): expected outcome without and with the action, by models that never saw the account;
            r draws of the folds.
    """

    matrix: NDArray[np.float64]
    account_id: NDArray[np.object_]
    treated: NDArray[np.bool_]
    chance: NDArray[np.float64]
    outcome: NDArray[np.float64]
    expected: NDArray[np.float64]

    def select(self, rows: NDArray[np.intp]) -> EffectRows:
        """Return the draws at the positions *rows*."""
        return EffectRows(
            self.matrix[rows],
            self.account_id[rows],
            self.treated[rows],
            self.chance[rows],
            self.outcome[rows],
            self.expected[:, rows],
        )

    @property
    def overlap(self) -> NDArray[np.float64]:
        """`4 e (1 - e)`, shape (n,): how much a draw of chance e tells about an effect; 1 at a fair coin."""
        return np.asarray(4.0 * self.chance * (1.0 - self.chance), dtype=np.float64)

    def pseudo_effect(self, repeat: int | None = None) -> NDArray[np.float64]:
        """Return a noisy, unbiased value of each draw's effect, shape (n,).

        `mu1 - mu0 + t (y - mu1) / e - (1 - t) (y - mu0) / (1 - e)`, the augmented inverse-propensity score (Robins,
        Rotnitzky and Zhao, 1994), which is unbiased for known e whatever mu0 and mu1 are.

        Args:
            repeat: Which draw of the folds; the mean over all if None.
        """
        if repeat is None:
            return np.asarray(
                np.mean([self.pseudo_effect(one) for one in range(len(self.expected))], axis=0),
                dtype=np.float64,
            )
        held, taken = self.expected[repeat, :, 0], self.expected[repeat, :, 1]
        residual = np.where(
            self.treated,
            (self.outcome - taken) / self.chance,
            -(self.outcome - held) / (1.0 - self.chance),
        )
        return np.asarray(taken - held + residual, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Resample:
    """A resample of the accounts of `EffectRows`.

    Attributes:
        rows: Positions of the rows that were drawn at least once.
        weight: How often, of each of these.
        repeat: Which draw of the folds its outcome models come from.
        seed: Seed of LightGBM.
    """

    rows: NDArray[np.intp]
    weight: NDArray[np.float64]
    repeat: int
    seed: int


def learn(name: PerAction, rows: EffectRows, settings: UpliftSettings, *, seed: int) -> tuple[Bag, ...]:
    """Return `settings.bags` bags of the learner *name*, each fitted to a bootstrap sample of the accounts."""
    _, of_row = np.unique(rows.account_id.astype(str), return_inverse=True)
    accounts = int(of_row.max()) + 1
    generator = np.random.default_rng(seed)
    grow = _LEARNERS[name]
    bags = []
    for number in range(settings.bags):
        times = np.bincount(generator.integers(0, accounts, accounts), minlength=accounts)[of_row]
        drawn = np.flatnonzero(times)
        repeat = number % len(rows.expected)
        sample = Resample(drawn, times[drawn].astype(np.float64), repeat, seed + 1 + number)
        bags.append(grow(rows, sample, settings))
    return tuple(bags)


def _doubly_robust(rows: EffectRows, sample: Resample, settings: UpliftSettings) -> Bag:
    """Regress the pseudo-effect on the features (Kennedy, 2020), draws weighted by what they tell."""
    return Bag(
        _effect_booster(
            rows.matrix[sample.rows],
            rows.pseudo_effect(sample.repeat)[sample.rows],
            (sample.weight * rows.overlap[sample.rows]),
            settings,
            sample.seed,
        )
    )


def _cross(rows: EffectRows, sample: Resample, settings: UpliftSettings) -> Bag:
    """Regress imputed effects on the features: the X-learner (Künzel et al., 2019), its two parts in one regression.

    A treated draw's effect is imputed as `y - mu0`, another's as `mu1 - y`. Künzel weighs the model of the treated by
    1 - e and that of the others by e; in one regression that is a weight of (1 - e) / e and e / (1 - e) a draw.
    """
    held, taken = rows.expected[sample.repeat].T
    imputed = np.where(rows.treated, rows.outcome - held, taken - rows.outcome)
    odds = rows.chance / (1.0 - rows.chance)
    weight = np.where(rows.treated, 1.0 / odds, odds)
    return Bag(
        _effect_booster(
            rows.matrix[sample.rows],
            imputed[sample.rows],
            sample.weight * weight[sample.rows],
            settings,
            sample.seed,
        )
    )


def _two(rows: EffectRows, sample: Resample, settings: UpliftSettings) -> Bag:
    """Model either arm's outcome by itself: the T-learner."""
    arms = []
    for arm in (True, False):
        inside = rows.treated[sample.rows] == arm
        chosen = sample.rows[inside]
        arms.append(
            _effect_booster(
                rows.matrix[chosen], rows.outcome[chosen], sample.weight[inside], settings, sample.seed
            )
        )
    return Bag(arms[0], arms[1])


_LEARNERS: dict[PerAction, Callable[[EffectRows, Resample, UpliftSettings], Bag]] = {
    "dr": _doubly_robust,
    "x": _cross,
    "t": _two,
}


def _effect_booster(
    matrix: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    settings: UpliftSettings,
    seed: int,
) -> lgb.Booster:
    params = settings.effect_parameters(len(matrix), seed)
    return boosted(matrix, target, params, trees=settings.trees, weight=weight)
