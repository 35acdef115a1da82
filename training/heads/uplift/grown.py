"""Bags of trees for one action after another, by any learner, from the same draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.heads.uplift.learners import learn
from training.heads.uplift.single import retold, single_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.heads.uplift.draws import Draws
    from training.heads.uplift.learners import Bag, LearnerName
    from training.heads.uplift.settings import UpliftSettings
    from training.heads.uplift.single import SingleModel


def grow(
    learner: LearnerName,
    draws: Draws,
    actions: Sequence[int],
    *,
    settings: UpliftSettings,
    seed: int,
    without: int | None = None,
) -> dict[int, tuple[Bag, ...]]:
    """Return the bags of each of *actions*; those of one do not depend on which others are asked for.

    Args:
        learner: S learns from all draws at once, too, the others from those between an action and nothing.
        draws: What to learn from.
        actions: Of 0 to K - 1.
        settings: Sizes.
        seed: Seed of resampling and LightGBM.
        without: Fold of accounts that nothing may be learnt from; all are learnt from if None.

    Raises:
        ValueError: A fold is left out of draws that have none.
    """
    if learner == "s":
        return _single(draws, actions, settings, seed, without)
    found = {}
    for action in actions:
        rows = draws.effect_rows(action)[0] if without is None else draws.effect_rows_without(action, without)
        found[action] = learn(learner, rows, settings, seed=seed + 1000 * action)
    return found


def _single(
    draws: Draws, actions: Sequence[int], settings: UpliftSettings, seed: int, without: int | None
) -> dict[int, tuple[Bag, ...]]:
    """Return bags that follow an action's own single model, or the mean of it and of one that all actions share.

    There are more resamples than bags, as a graph pays for each bag, and training alone for each resample: a bag tells
    of one, moved so that the mean of the bags is that of all resamples.
    """
    kept = draws.outside(without)
    rows = draws.arm_rows(kept)
    times = rows.resamples(settings.bags * settings.single_models, seed)
    shared: tuple[SingleModel, ...] = ()
    if actions and rows.actions > 1 and rows.events:
        shared = single_models(rows, times, settings, seed=seed + 1000 * rows.actions)
    found = {}
    for action in actions:
        inside = np.flatnonzero(np.isin(kept, draws.treatments.comparable(action)))
        alone, of_action = rows.of_action(action, inside), seed + 1000 * action
        own = single_models(alone, times[:, inside], settings, seed=of_action)
        effects = np.stack([one.effect(alone.matrix, 0) for one in own])
        if shared:
            effects = (effects + np.stack([one.effect(alone.matrix, action) for one in shared])) / 2.0
        told = effects[: settings.bags]
        told = told + (effects.mean(axis=0) - told.mean(axis=0))
        found[action] = retold(alone.matrix, told, settings, seed=of_action + 1)
    return found
