"""From draws to heads, for one outcome: outcome models, averages, trees, and how far the trees are believed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from training.heads.uplift.conflict import widened
from training.heads.uplift.draws import Draws
from training.heads.uplift.fit import Fit
from training.heads.uplift.head import UpliftHead, raw_effects
from training.heads.uplift.learners import Bag, LearnerName, learn
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

__all__ = [
    "MIN_DRAWS_FOR_TREES",
    "MIN_DRAWS_PER_ARM",
    "RELATIVE_VARIATION",
    "Draws",
    "Fit",
    "HeadLearner",
    "action_seed",
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
    """Return the head of one action by *learner*, shrunk to *prior*.

    Args:
        learner: Which learner grows the trees; one that can be exported, or `none` for the average alone.
        draws: All draws.
        action: 0 to K - 1.
        prior: Believed effect.
        settings: Sizes.
        seed: Seed of resampling, folds and LightGBM.
        difference: Shape (n,), what `out_of_fold` gave with the same arguments; found anew if None.
    """
    rows, positions = draws.effect_rows(action)
    name, treated = draws.treatments.actions[action], int(rows.treated.sum())
    measured = measure(draws, action, prior)
    if measured is None:
        head = UpliftHead.from_prior(name, draws.outcome, prior)
        return Fit(head, len(positions), treated, None, 0.0, None)
    unit, pseudo = draws.units(prior, positions), rows.pseudo_effect()
    average, weight = posterior(prior, measured)
    slope = None
    bags: tuple[Bag, ...] = ()
    raw_average = used = 0.0
    if learner != "none" and has_trees(draws, action):
        if difference is None:
            difference = out_of_fold(learner, draws, action, prior, settings=settings, seed=seed)
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
        float(np.hypot(average.sd, _apart(prior, average, rows.expected[:, :, 0].mean(axis=0)))),
        raw_average,
        used,
        average.sd,
    )
    return Fit(head, len(positions), treated, measured, weight, slope, average)


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
        seed: Seed; every action has one of its own, see `action_seed`.
        differences: By action, what `out_of_fold` gave with the same arguments; found anew where it is absent.
    """
    names = draws.treatments.actions
    used = widened(priors, {name: measure(draws, at, priors[name]) for at, name in enumerate(names)})
    fits = []
    for action, name in enumerate(names):
        fit = fit_head(
            learner, draws, action, used[name],
            settings=settings, seed=action_seed(seed, action), difference=(differences or {}).get(action),
        )  # fmt: skip
        fits.append(replace(fit, declared=priors[name]) if used[name] != priors[name] else fit)
    return tuple(fits)


def action_seed(seed: int, action: int) -> int:
    """Return the seed of one action's trees."""
    return seed + 1000 * action


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
    learner: LearnerName, draws: Draws, action: int, prior: Prior, *, settings: UpliftSettings, seed: int
) -> NDArray[np.float64]:
    """Return what trees that know nothing of the draw's fold say of it beyond the average, shape (n,).

    Args:
        learner: Which learner grows the trees.
        draws: n of them are between *action* and nothing.
        action: 0 to K - 1.
        prior: Says what the average is relative to.
        settings: Sizes.
        seed: Seed of resampling and LightGBM.

    Raises:
        ValueError: The draws have no folds.
    """
    smaller = settings.with_bags(min(_BELIEF_BAGS, settings.bags))
    rows, positions = draws.effect_rows(action)
    if draws.fold is None:
        raise ValueError("these draws have no folds: make them by `Draws.cross_fitted`")
    unit = draws.units(prior, positions)
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


def _apart(prior: Prior, average: Average, baseline: NDArray[np.float64]) -> float:
    """Return the standard deviation per unit of single accounts' effects around their average.

    Effects in units of the churn probability follow the baseline already, so that what is left is how far accounts
    stand apart at one and the same probability: `RELATIVE_VARIATION * sqrt(E[average^2])`.
    """
    if prior.scale == "absolute":
        return between_accounts(average, baseline)
    return RELATIVE_VARIATION * float(np.hypot(average.mean, average.sd))
