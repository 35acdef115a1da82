"""From draws to heads, for one outcome: outcome models, averages, trees, and how far the trees are believed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from training.heads.uplift.conflict import widened
from training.heads.uplift.draws import NO_FOLDS, Draws
from training.heads.uplift.fit import Fit
from training.heads.uplift.grown import grow
from training.heads.uplift.head import UpliftHead, raw_effects
from training.heads.uplift.learners import Bag, LearnerName
from training.heads.uplift.shrinkage import (
    Average,
    Prior,
    between_accounts,
    held_out_slope,
    measured_average,
    posterior,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.heads.uplift.settings import UpliftSettings
    from training.heads.uplift.shrinkage import Slope

__all__ = [
    "MIN_DRAWS_FOR_TREES",
    "MIN_DRAWS_PER_ARM",
    "RELATIVE_VARIATION",
    "Draws",
    "Fit",
    "HeadLearner",
    "fit_head",
    "fit_heads",
    "has_trees",
    "measure",
    "out_of_fold",
]

HeadLearner: TypeAlias = LearnerName | Literal["none"]
"""What a head may be made by; `none` is its average alone, without trees."""

MIN_DRAWS_PER_ARM = 30
"""With fewer draws of either arm nothing is measured, and the prior stands alone."""

MIN_DRAWS_FOR_TREES = 150
"""With fewer draws of either arm no trees are tried: only the average is measured."""

RELATIVE_VARIATION = 1.0
"""Assumed of effects in units of the churn probability: the coefficient of variation of single accounts' effects.

No draw ever shows one account's effect, so this is declared and not measured. A coefficient of 1 is that of an
exponential distribution: a few accounts are helped much, most of them little, and some not at all or harmed.
"""

_BELIEF_BAGS = 4


def fit_head(
    learner: HeadLearner,
    draws: Draws,
    action: int,
    prior: Prior,
    *,
    settings: UpliftSettings,
    seed: int,
    difference: NDArray[np.float64] | None = None,
) -> Fit:
    """Return the head of one action by *learner*, shrunk to *prior*; see `fit_heads` for several.

    Args:
        learner: Which learner grows the trees, or `none` for the average alone.
        draws: All draws.
        action: 0 to K - 1.
        prior: Believed effect.
        settings: Sizes.
        seed: Seed of resampling, folds and LightGBM.
        difference: Shape (n,), what `out_of_fold` gave with the same arguments; found anew if None.
    """
    known = {} if difference is None else {action: difference}
    return _fitted(learner, draws, {action: prior}, known, settings, seed)[action]


def fit_heads(
    learner: HeadLearner,
    draws: Draws,
    priors: Mapping[str, Prior],
    *,
    settings: UpliftSettings,
    seed: int,
    differences: Mapping[int, NDArray[np.float64]] | None = None,
) -> tuple[Fit, ...]:
    """Return the heads of all actions of *draws*; *priors* holds one for each.

    Where the draws of several actions together contradict what was declared of them, priors are believed less: see
    `training.heads.uplift.conflict.widened`.

    Args:
        learner: Of `fit_head`.
        draws: All draws.
        priors: Declared effects.
        settings: Sizes.
        seed: Of `fit_head`.
        differences: By action, what `out_of_fold` gave with the same arguments; found anew where it is absent.
    """
    names = draws.treatments.actions
    used = widened(priors, {name: measure(draws, at, priors[name]) for at, name in enumerate(names)})
    believed = {action: used[name] for action, name in enumerate(names)}
    fits = _fitted(learner, draws, believed, differences or {}, settings, seed)
    return tuple(
        replace(fits[action], declared=priors[name]) if used[name] != priors[name] else fits[action]
        for action, name in enumerate(names)
    )


def _fitted(
    learner: HeadLearner,
    draws: Draws,
    priors: Mapping[int, Prior],
    differences: Mapping[int, NDArray[np.float64]],
    settings: UpliftSettings,
    seed: int,
) -> dict[int, Fit]:
    """Return the heads of the actions that *priors* names."""
    slopes: dict[int, Slope] = {}
    bags: dict[int, tuple[Bag, ...]] = {}
    if learner != "none":
        wanted = [action for action in priors if has_trees(draws, action)]
        missing = {action: priors[action] for action in wanted if action not in differences}
        told = dict(differences) | out_of_fold(learner, draws, missing, settings=settings, seed=seed)
        for action in wanted:
            rows, _ = draws.effect_rows(action)
            slopes[action] = held_out_slope(rows.pseudo_effect(), told[action], rows.overlap, rows.account_id)
        believed = [action for action in wanted if slopes[action].shrunk]
        bags = grow(learner, draws, believed, settings=settings, seed=seed)
    return {
        action: _headed(learner, draws, action, prior, slopes.get(action), bags.get(action, ()))
        for action, prior in priors.items()
    }


def _headed(
    learner: HeadLearner, draws: Draws, action: int, prior: Prior, slope: Slope | None, bags: tuple[Bag, ...]
) -> Fit:
    """Return the head of one action with *bags*, which count by *slope*."""
    rows, positions = draws.effect_rows(action)
    name, treated = draws.treatments.actions[action], int(rows.treated.sum())
    measured = measure(draws, action, prior)
    if measured is None:
        head = UpliftHead.from_prior(name, draws.outcome, prior)
        return Fit(head, len(positions), treated, None, 0.0, None)
    unit = draws.units(prior, positions)
    average, weight = posterior(prior, measured)
    head = UpliftHead(
        name,
        draws.outcome,
        learner if bags else "none",
        bags,
        prior,
        average.mean,
        float(np.hypot(average.sd, _apart(prior, average, rows.expected[:, :, 0].mean(axis=0)))),
        float(raw_effects(bags, rows.matrix)[0].sum() / unit.sum()) if bags else 0.0,
        slope.shrunk if slope else 0.0,
        average.sd,
    )
    return Fit(head, len(positions), treated, measured, weight, slope, average)


def measure(draws: Draws, action: int, prior: Prior) -> Average | None:
    """Return the average effect of *action* per unit of *prior*'s scale by the draws alone; None if too few."""
    rows, positions = draws.effect_rows(action)
    treated = int(rows.treated.sum())
    if min(treated, len(positions) - treated) < MIN_DRAWS_PER_ARM:
        return None
    return measured_average(rows.pseudo_effect(), draws.units(prior, positions), rows.account_id)


def has_trees(draws: Draws, action: int) -> bool:
    """Return whether there are draws enough of either arm of *action* for trees to be tried."""
    rows, positions = draws.effect_rows(action)
    treated = int(rows.treated.sum())
    return min(treated, len(positions) - treated) >= MIN_DRAWS_FOR_TREES


def out_of_fold(
    learner: LearnerName, draws: Draws, priors: Mapping[int, Prior], *, settings: UpliftSettings, seed: int
) -> dict[int, NDArray[np.float64]]:
    """Return by action what trees that know nothing of the draw's fold say of it beyond the average, shape (n,) each.

    Args:
        learner: Which learner grows the trees.
        draws: n of them are between the action and nothing.
        priors: By action (0 to K - 1), what its average is relative to.
        settings: Sizes.
        seed: Seed of resampling and LightGBM.

    Raises:
        ValueError: The draws have no folds.
    """
    smaller = settings.with_bags(min(_BELIEF_BAGS, settings.bags))
    if draws.fold is None:
        raise ValueError(NO_FOLDS)
    rows = {action: draws.effect_rows(action) for action in priors}
    found = {action: np.empty(len(positions)) for action, (_, positions) in rows.items()}
    for number in np.unique(draws.fold):
        bags = grow(
            learner, draws, list(priors), settings=smaller, seed=seed + int(number), without=int(number)
        )
        for action, prior in priors.items():
            matrix, positions = rows[action][0].matrix, rows[action][1]
            fold, unit = draws.fold[positions], draws.units(prior, positions)
            inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            raw = np.mean([bag.effect(matrix) for bag in bags[action]], axis=0)
            average = raw[others].sum() / unit[others].sum()
            found[action][inside] = raw[inside] - average * unit[inside]
    return found


def _apart(prior: Prior, average: Average, baseline: NDArray[np.float64]) -> float:
    """Return the standard deviation per unit of single accounts' effects around their average.

    Effects in units of the churn probability follow the baseline already, so that what is left is how far accounts
    stand apart at one and the same probability: `RELATIVE_VARIATION * sqrt(E[average^2])`.
    """
    if prior.scale == "absolute":
        return between_accounts(average, baseline)
    return RELATIVE_VARIATION * float(np.hypot(average.mean, average.sd))
