"""From draws to heads, for one outcome: outcome models, averages, trees, and how far the trees are believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.heads.uplift.draws import Draws
from training.heads.uplift.head import UpliftHead, raw_effects
from training.heads.uplift.learners import Bag, LearnerName, learn
from training.heads.uplift.shrinkage import (
    Average,
    Prior,
    Slope,
    between_accounts,
    held_out_slope,
    measured_average,
    posterior,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.heads.uplift.settings import UpliftSettings

__all__ = ["MIN_DRAWS_FOR_TREES", "MIN_DRAWS_PER_ARM", "Draws", "Fit", "fit_head", "fit_heads"]

MIN_DRAWS_PER_ARM = 30
"""With fewer draws of either arm nothing is measured, and the prior stands alone."""

MIN_DRAWS_FOR_TREES = 150
"""With fewer draws of either arm no trees are tried: only the average is measured."""

_BELIEF_BAGS = 4


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
        average: The average effect after prior and draws; the head's own `average_sd` has single accounts in it too.
    """

    head: UpliftHead
    draws: int
    treated: int
    measured: Average | None
    weight: float
    slope: Slope | None
    average: Average | None = None

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
            "average": {
                "mean": head.average,
                "sd": head.average_sd if self.average is None else self.average.sd,
                "sd_of_an_account": head.average_sd,
            },
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
        difference = _out_of_fold(learner, draws, action, unit, settings, seed)
        slope = held_out_slope(pseudo, difference, rows.overlap, rows.account_id)
        used = slope.shrunk
    if used:
        bags = tuple(bag for bag in learn(learner, rows, settings, seed=seed) if isinstance(bag, Bag))
        raw_average = float(raw_effects(bags, rows.matrix)[0].sum() / unit.sum())
    # Effects in units of the churn probability follow the baseline already.
    baseline = rows.expected[:, :, 0].mean(axis=0)
    apart = between_accounts(average, baseline) if prior.scale == "absolute" else 0.0
    head = UpliftHead(
        name,
        draws.outcome,
        learner if bags else "none",
        bags,
        prior,
        average.mean,
        float(np.hypot(average.sd, apart)),
        raw_average,
        used,
    )
    return Fit(head, len(positions), treated, measured, weight, slope, average)


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
    draws: Draws,
    action: int,
    unit: NDArray[np.float64],
    settings: UpliftSettings,
    seed: int,
) -> NDArray[np.float64]:
    """Return what trees that know nothing of the draw's fold say of it beyond the average, shape (n,)."""
    smaller = settings.with_bags(min(_BELIEF_BAGS, settings.bags))
    rows, positions = draws.effect_rows(action)
    if draws.fold is None:
        raise ValueError("these draws have no folds: make them by `Draws.cross_fitted`")
    fold = draws.fold[positions]
    difference = np.empty(len(rows.outcome))
    for number in np.unique(fold):
        inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        bags = learn(
            learner, draws.effect_rows_without(action, int(number)), smaller, seed=seed + int(number)
        )
        raw = np.mean([bag.effect(rows.matrix) for bag in bags], axis=0)
        average = raw[others].sum() / unit[others].sum()
        difference[inside] = raw[inside] - average * unit[inside]
    return difference
