"""The S-learner: the outcome by features and arm, whose effects are told again by trees of x alone.

Each action has a model of the draws between it and nothing. Where an outcome happens or does not, all actions also
share a model of all draws, whose columns say whether anything was done and which action it was: what any action did to
accounts like these then counts for each of them, and a split by one action has to earn its place. An effect is the mean
of what the two say. In simulated trials the shared one alone ranked accounts worse where actions help different
accounts; the mean ranked them as well as the action's own model did and was closer to the planted effects. For amounts,
of which a few large ones decide, the mean ranked no better than the own model, so they do without a shared one. A graph
needs the effect of x alone, so a second, small booster follows each action's effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.heads.uplift.arm_trees import arm_trees
from training.heads.uplift.learners import Bag
from training.heads.uplift.regression import boosted, boosted_each, predicted

if TYPE_CHECKING:
    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.heads.uplift.settings import UpliftSettings


@dataclass(frozen=True, slots=True)
class ArmRows:
    """n draws of any arm.

    Attributes:
        matrix: Shape (n, f), features at the time of the draw.
        account_id: Shape (n,), object.
        arm: Shape (n,), 0 for nothing, k for the k-th action.
        outcome: Shape (n,).
        actions: How many actions there are.
    """

    matrix: NDArray[np.float64]
    account_id: NDArray[np.object_]
    arm: NDArray[np.intp]
    outcome: NDArray[np.float64]
    actions: int

    @property
    def events(self) -> bool:
        """Whether the outcome happens or does not, and is no amount."""
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    def of_action(self, action: int, rows: NDArray[np.intp]) -> ArmRows:
        """Return the draws at the positions *rows*, told apart only by whether *action* (0 to K - 1) was taken."""
        arm = (self.arm[rows] == action + 1).astype(np.intp)
        return ArmRows(self.matrix[rows], self.account_id[rows], arm, self.outcome[rows], 1)

    def resamples(self, bags: int, seed: int) -> NDArray[np.float64]:
        """Return how often each draw is in each of *bags* bootstrap samples of the accounts, shape (bags, n)."""
        _, of_row = np.unique(self.account_id.astype(str), return_inverse=True)
        accounts = int(of_row.max()) + 1
        generator = np.random.default_rng(seed)
        drawn = [generator.integers(0, accounts, accounts) for _ in range(bags)]
        return np.stack([np.bincount(one, minlength=accounts)[of_row] for one in drawn]).astype(np.float64)


@dataclass(frozen=True, slots=True)
class SingleModel:
    """What the outcome by features and arm says of arms, as one booster.

    Attributes:
        booster: Of the columns of `with_arm`, with the trees alone that ask about the arm (`arm_trees`), mostly one in
            twenty; None if there are none.
        actions: How many actions it tells apart.
    """

    booster: lgb.Booster | None
    actions: int

    def effect(self, matrix: NDArray[np.float64], action: int) -> NDArray[np.float64]:
        """Return what *action* (0 to K - 1) adds to the outcome of each row, shape (n,)."""
        if self.booster is None:
            return np.zeros(len(matrix))
        taken, held = (
            predicted(self.booster, with_arm(matrix, np.full(len(matrix), arm), self.actions))
            for arm in (action + 1, 0)
        )
        return taken - held


def with_arm(matrix: NDArray[np.float64], arm: NDArray[np.intp], actions: int) -> NDArray[np.float64]:
    """Return the features with whether anything was done, and with a column an action if there are several.

    Args:
        matrix: Shape (n, f).
        arm: Shape (n,), 0 for nothing.
        actions: K.

    Returns:
        Shape (n, f + 1), or (n, f + 1 + K) for K > 1.
    """
    columns = [matrix, arm > 0]
    if actions > 1:
        columns.append(arm[:, None] == np.arange(1, actions + 1))
    return np.column_stack(columns).astype(np.float64, copy=False)


def single_models(
    rows: ArmRows, times: NDArray[np.float64], settings: UpliftSettings, *, seed: int
) -> tuple[SingleModel, ...]:
    """Return a model a bootstrap sample.

    Args:
        rows: n draws to learn from.
        times: Shape (bags, n), how often each is in each sample.
        settings: Sizes.
        seed: Seed of LightGBM.
    """
    models = []
    for number, weight in enumerate(times):
        drawn = np.flatnonzero(weight)
        booster = boosted(
            with_arm(rows.matrix[drawn], rows.arm[drawn], rows.actions),
            rows.outcome[drawn],
            settings.single_parameters(len(drawn), seed + 1 + number),
            trees=settings.single_trees if rows.actions == 1 else settings.shared_trees,
            weight=weight[drawn],
        )
        models.append(SingleModel(arm_trees(booster, rows.matrix.shape[1]), rows.actions))
    return tuple(models)


def retold(
    matrix: NDArray[np.float64], effects: NDArray[np.float64], settings: UpliftSettings, *, seed: int
) -> tuple[Bag, ...]:
    """Return trees of x alone that follow each of *effects*.

    Args:
        matrix: Shape (n, f).
        effects: Shape (bags, n).
        settings: Sizes.
        seed: Seed of LightGBM for the first of them; each next one has the next seed.
    """
    params = [settings.retelling_parameters(len(matrix), seed + bag) for bag in range(len(effects))]
    return tuple(Bag(one) for one in boosted_each(matrix, effects, params, trees=settings.retold_trees))
