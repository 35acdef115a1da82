"""Refits the leaf values of a booster to resampled accounts, its splits held fixed.

One pass gives every leaf a value per resample, so the spread of a margin can be looked up leaf by leaf where a
bootstrap of whole boosters would need as many boosters. What it leaves out, that other accounts would have given other
splits, is made up for by the scale in `training.uncertainty.fit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from training.export.trees import read_trees
from training.heads.hazard import sigmoid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.definitions import BoostingStage
    from training.heads.boosting import PersonPeriods
    from training.heads.hazard import HazardHead
    from training.heads.train import HeadRows


@dataclass(frozen=True, slots=True)
class TreePlan:
    """How the trees of one booster came about, tree by tree; T trees.

    Attributes:
        leaves: Leaves of each tree.
        learning_rate: Shape (T,).
        lambda_l2: Shape (T,).
        shared: How many of the first trees were fitted to all intervals.
    """

    leaves: tuple[int, ...]
    learning_rate: NDArray[np.float64]
    lambda_l2: NDArray[np.float64]
    shared: int

    @property
    def starts(self) -> NDArray[np.int64]:
        """Number of each tree's first leaf, leaves counted through the trees in order; shape (T,)."""
        return np.concatenate([[0], np.cumsum(self.leaves)[:-1]]).astype(np.int64)


def tree_plan(
    booster: lgb.Booster,
    shared_rounds: Mapping[str, int],
    own_rounds: Mapping[str, int],
    stages: Sequence[BoostingStage],
) -> TreePlan:
    """Return the plan of an interval's *booster* from the rounds that `TrainedHead.choice` states.

    Raises:
        ValueError: The rounds do not add up to the booster's trees.
    """
    by_name = {stage.name: stage for stage in stages}
    steps = [
        (by_name[name], count) for rounds in (shared_rounds, own_rounds) for name, count in rounds.items()
    ]
    leaves = tuple(tree.n_leaves for tree in read_trees(booster))
    if sum(count for _, count in steps) != len(leaves):
        raise ValueError(f"the rounds {steps} do not add up to the booster's {len(leaves)} trees")
    return TreePlan(
        leaves=leaves,
        learning_rate=np.concatenate([np.full(count, stage.learning_rate) for stage, count in steps]),
        lambda_l2=np.concatenate([np.full(count, stage.lambda_l2) for stage, count in steps]),
        shared=sum(shared_rounds.values()),
    )


def reached_leaves(booster: lgb.Booster, plan: TreePlan, matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of the leaf that each row reaches in each tree, shape (n, T), counted through all trees."""
    found = np.asarray(booster.predict(matrix, pred_leaf=True), dtype=np.int64)
    return np.asarray(found.reshape(len(matrix), -1) + plan.starts, dtype=np.int64)


def refitted_leaves(
    head: HazardHead, plans: Sequence[TreePlan], rows: HeadRows, counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Return leaf values per interval and resample, shape (leaves, b) an interval.

    Each leaf takes LightGBM's own step, `-rate * G / (H + lambda)`, tree after tree; with counts of one and no row
    sampling it gives back the booster's values.

    Args:
        head: Its boosters' splits are kept.
        plans: One an interval.
        rows: What the boosters were fitted to; n rows.
        counts: Shape (n, b): how often each row stands in each resample.
    """
    pooled = rows.periods()
    numbers = [
        reached_leaves(booster, plan, rows.matrix) for booster, plan in zip(head.boosters, plans, strict=True)
    ]
    weight = counts[pooled.rows] * pooled.weight[:, None]
    happened = np.maximum((weight * pooled.event[:, None]).sum(axis=0), 0.5)
    start = np.log(happened / np.maximum(weight.sum(axis=0) - happened, 0.5))
    shared = np.zeros((sum(plans[0].leaves[: plans[0].shared]), counts.shape[1]))
    margin = np.tile(start, (len(pooled.rows), 1))
    _newton(shared, margin, numbers[0], plans[0], range(plans[0].shared), pooled, weight)
    shared[: plans[0].leaves[0]] += start  # LightGBM puts the starting point into the first tree, too
    found = []
    for interval, (plan, number) in enumerate(zip(plans, numbers, strict=True)):
        values = np.zeros((sum(plan.leaves), counts.shape[1]))
        values[: len(shared)] = shared
        if len(plan.leaves) > plan.shared:
            own = rows.periods(interval)
            margin = np.zeros((len(own.rows), counts.shape[1]))
            for tree in range(plan.shared):
                margin += values[number[own.rows, tree]]
            rest = range(plan.shared, len(plan.leaves))
            _newton(values, margin, number, plan, rest, own, counts[own.rows] * own.weight[:, None])
        found.append(values)
    return tuple(found)


def _newton(
    values: NDArray[np.float64],
    margin: NDArray[np.float64],
    number: NDArray[np.int64],
    plan: TreePlan,
    trees: range,
    periods: PersonPeriods,
    weight: NDArray[np.float64],
) -> None:
    """Fill *values* of the leaves of *trees* and move *margin* on, both in place."""
    event = periods.event[:, None]
    everyone = np.arange(len(periods.rows))
    for tree in trees:
        start, size = int(plan.starts[tree]), plan.leaves[tree]
        reached = number[periods.rows, tree] - start
        probability = sigmoid(margin)
        residual = weight * (probability - event)
        curvature = weight * probability * (1.0 - probability)
        sums = sparse.csr_matrix((np.ones(len(reached)), (reached, everyone)), shape=(size, len(reached)))
        step = -plan.learning_rate[tree] * (sums @ residual) / (sums @ curvature + plan.lambda_l2[tree])
        values[start : start + size] = step
        margin += step[reached]


def account_counts(account_id: NDArray[np.object_], draws: int, seed: int) -> NDArray[np.float64]:
    """Return how often each row stands in each of *draws* resamples of accounts, shape (n, draws)."""
    _, of_row = np.unique(account_id.astype(str), return_inverse=True)
    accounts = int(of_row.max()) + 1
    generator = np.random.default_rng(seed)
    picks = [np.bincount(generator.integers(0, accounts, accounts), minlength=accounts) for _ in range(draws)]
    return np.stack(picks, axis=1)[of_row].astype(np.float64)
