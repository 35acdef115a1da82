"""From draws to heads, for one outcome: outcome models, averages, trees, and how far the trees are believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.heads.uplift.head import UpliftHead, raw_effects
from training.heads.uplift.learners import Bag, EffectRows, LearnerName, learn
from training.heads.uplift.nuisance import account_folds, cross_fitted_outcomes, expected_outcomes
from training.heads.uplift.shrinkage import Average, Prior, Slope, held_out_slope, measured_average, posterior

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.heads.uplift.settings import UpliftSettings
    from training.treatments import LoggedTreatments

MIN_DRAWS_PER_ARM = 30
"""With fewer draws of either arm nothing is measured, and the prior stands alone."""

MIN_DRAWS_FOR_TREES = 150
"""With fewer draws of either arm no trees are tried: only the average is measured."""

_BELIEF_BAGS = 6


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws with a known outcome, with features; n rows, K actions.

    Attributes:
        treatments: The n draws.
        matrix: Shape (n, f), features at the time of each.
        outcome: Which outcome is asked for; known in every row.
        expected: Shape (r, n, K + 1): expected outcome under every arm, r draws of the folds.
        churn_probability: Shape (n,), within the outcome window, or None.
    """

    treatments: LoggedTreatments
    matrix: NDArray[np.float64]
    outcome: str
    expected: NDArray[np.float64]
    churn_probability: NDArray[np.float64] | None

    @classmethod
    def cross_fitted(
        cls,
        treatments: LoggedTreatments,
        matrix: NDArray[np.float64],
        outcome: str,
        churn_probability: NDArray[np.float64] | None,
        *,
        settings: UpliftSettings,
        seed: int,
    ) -> Draws:
        """Return the draws with expected outcomes by models that never saw the account."""
        treatments, matrix, churn_probability = _known(treatments, matrix, outcome, churn_probability)
        expected = [
            cross_fitted_outcomes(
                matrix,
                treatments.arm,
                treatments.outcomes[outcome],
                account_folds(treatments.account_id, settings.folds, seed + repeat),
                arms=len(treatments.actions) + 1,
                settings=settings,
                seed=seed + repeat,
            )
            for repeat in range(settings.repeats)
        ]
        return cls(treatments, matrix, outcome, np.stack(expected), churn_probability)

    def later(
        self,
        treatments: LoggedTreatments,
        matrix: NDArray[np.float64],
        churn_probability: NDArray[np.float64] | None,
        *,
        settings: UpliftSettings,
        seed: int,
    ) -> Draws:
        """Return other draws with expected outcomes by models fitted to these."""
        treatments, matrix, churn_probability = _known(treatments, matrix, self.outcome, churn_probability)
        expected = expected_outcomes(
            (self.matrix, self.treatments.arm, self.treatments.outcomes[self.outcome]),
            matrix,
            arms=len(treatments.actions) + 1,
            settings=settings,
            seed=seed,
        )
        return Draws(treatments, matrix, self.outcome, expected[None], churn_probability)

    def effect_rows(self, action: int) -> tuple[EffectRows, NDArray[np.intp]]:
        """Return the draws between *action* and nothing, and their positions."""
        rows = self.treatments.comparable(action)
        return EffectRows(
            matrix=self.matrix[rows],
            account_id=self.treatments.account_id[rows],
            treated=self.treatments.arm[rows] == action + 1,
            chance=self.treatments.chance(action)[rows],
            outcome=self.treatments.outcomes[self.outcome][rows],
            expected=self.expected[:, rows][:, :, [0, action + 1]],
        ), rows

    def units(self, prior: Prior, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the units of *prior*'s scale at the positions *rows*."""
        churn = None if self.churn_probability is None else self.churn_probability[rows]
        return prior.units(len(rows), churn)


@dataclass(frozen=True, slots=True)
class Fit:
    """A head and how it came about.

    Attributes:
        head: The head.
        draws: Draws of the action, both arms.
        treated: Of these, taken.
        measured: The average effect per unit by the draws alone, or None if they are too few.
        weight: Weight of the draws against the prior in the average.
        slope: How much of the trees' differences came true out of fold, or None if no trees were tried.
    """

    head: UpliftHead
    draws: int
    treated: int
    measured: Average | None
    weight: float
    slope: Slope | None

    def facts(self) -> dict[str, Any]:
        """Return what a report says of the head, for JSON."""
        head, measured, slope = self.head, self.measured, self.slope
        return {
            "draws": self.draws,
            "treated": self.treated,
            "learner": head.learner,
            "prior": {"mean": head.prior.mean, "sd": head.prior.sd, "scale": head.prior.scale},
            "measured": None if measured is None else {"mean": measured.mean, "standard_error": measured.sd},
            "weight_of_draws": self.weight,
            "average": {"mean": head.average, "sd": head.average_sd},
            "slope": None
            if slope is None
            else {"raw": slope.raw, "standard_error": slope.sd, "used": head.slope},
        }


def fit_head(
    learner: LearnerName, draws: Draws, action: int, prior: Prior, *, settings: UpliftSettings, seed: int
) -> Fit:
    """Return the head of one action by *learner*, shrunk to *prior*.

    Args:
        learner: Which learner grows the trees; one that can be exported.
        draws: All draws.
        action: 0 to K - 1.
        prior: Declared effect.
        settings: Sizes.
        seed: Seed of resampling, folds and LightGBM.
    """
    rows, positions = draws.effect_rows(action)
    name, treated = draws.treatments.actions[action], int(rows.treated.sum())
    fewest = min(treated, len(positions) - treated)
    if fewest < MIN_DRAWS_PER_ARM:
        head = UpliftHead.from_prior(name, draws.outcome, prior)
        return Fit(head, len(positions), treated, None, 0.0, None)
    unit, pseudo = draws.units(prior, positions), rows.pseudo_effect()
    measured = measured_average(pseudo, unit, rows.account_id)
    average, weight = posterior(prior, measured)
    slope = None
    bags: tuple[Bag, ...] = ()
    raw_average = used = 0.0
    if fewest >= MIN_DRAWS_FOR_TREES:
        difference = _out_of_fold(learner, rows, unit, settings, seed)
        slope = held_out_slope(pseudo, difference, rows.overlap, rows.account_id)
        used = slope.shrunk
    if used:
        bags = tuple(bag for bag in learn(learner, rows, settings, seed=seed) if isinstance(bag, Bag))
        raw_average = float(raw_effects(bags, rows.matrix)[0].sum() / unit.sum())
    head = UpliftHead(
        name,
        draws.outcome,
        learner if bags else "none",
        bags,
        prior,
        average.mean,
        average.sd,
        raw_average,
        used,
    )
    return Fit(head, len(positions), treated, measured, weight, slope)


def fit_heads(
    learner: LearnerName,
    draws: Draws,
    priors: Mapping[str, Prior],
    *,
    settings: UpliftSettings,
    seed: int,
) -> tuple[Fit, ...]:
    """Return the heads of all actions of *draws*; *priors* holds one for each."""
    return tuple(
        fit_head(learner, draws, action, priors[name], settings=settings, seed=seed + 1000 * action)
        for action, name in enumerate(draws.treatments.actions)
    )


def _out_of_fold(
    learner: LearnerName,
    rows: EffectRows,
    unit: NDArray[np.float64],
    settings: UpliftSettings,
    seed: int,
) -> NDArray[np.float64]:
    """Return what trees that never saw the account say of each draw beyond the average, shape (n,)."""
    smaller = settings.with_bags(min(_BELIEF_BAGS, settings.bags))
    fold = account_folds(rows.account_id, settings.folds, seed + 17)
    difference = np.empty(len(rows.outcome))
    for number in np.unique(fold):
        inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        bags = learn(learner, rows.select(others), smaller, seed=seed + int(number))
        raw = np.mean([bag.effect(rows.matrix) for bag in bags], axis=0)
        average = raw[others].sum() / unit[others].sum()
        difference[inside] = raw[inside] - average * unit[inside]
    return difference


def _known(
    treatments: LoggedTreatments,
    matrix: NDArray[np.float64],
    outcome: str,
    churn_probability: NDArray[np.float64] | None,
) -> tuple[LoggedTreatments, NDArray[np.float64], NDArray[np.float64] | None]:
    known = np.flatnonzero(np.isfinite(treatments.outcomes[outcome]))
    churn = None if churn_probability is None else churn_probability[known]
    return treatments.select(known), matrix[known], churn
