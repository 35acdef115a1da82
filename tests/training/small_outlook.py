"""A small outlook of random models for given heads; real LightGBM, trained in a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

from training.export.trees import read_trees
from training.heads.amount import AmountModel
from training.heads.hazard import Platt
from training.heads.long_horizon import LongInterval
from training.heads.trajectory import TrajectoryHead
from training.heads.uplift.head import UpliftHead, raw_effects
from training.heads.uplift.learners import Bag
from training.heads.uplift.shrinkage import Prior
from training.outlook_values import EffectHeads, Outlook
from training.support import fit_support
from training.uncertainty.intervals import Uncertainty
from training.uncertainty.leaves import TreePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.heads.hazard import HazardHead

RANK = 3
ACTIONS = ("send_enablement_guide", "start_trial_or_upgrade", "schedule_success_call")


def make_outlook(
    heads: Sequence[HazardHead],
    matrix: NDArray[np.float64],
    *,
    plan_column: int | None,
    seed: int = 5,
    boosted_amount: bool = False,
    health: tuple[str, ...] = (),
) -> Outlook:
    """Return intervals, support, long horizon, amount, trajectory and effects of random models.

    Args:
        heads: Churn and upsell.
        matrix: Rows to fit the models to.
        plan_column: Column of the plan's code.
        seed: Seed.
        boosted_amount: Whether the amount has a booster instead of means by plan.
        health: Policy features that the trajectory reads; of accounts that stay, then.
    """
    rng = np.random.default_rng(seed)
    boosters = [booster for head in heads for booster in head.boosters]
    wide = matrix
    if health:
        wide = np.hstack([matrix, np.random.default_rng(seed).normal(50, 20, (len(matrix), len(health)))])
    return Outlook(
        uncertainty={head.name: make_uncertainty(rng, head) for head in heads},
        support=fit_support(matrix, matrix, boosters),
        long_interval=LongInterval(365, 5, Platt(0.8, -0.7), events=40, seen_pieces=2),
        amount=AmountModel(
            plan_column,
            np.array([0.1, 0.25, 0.4]),
            0.2,
            _booster(rng, matrix, trees=8) if boosted_amount else None,
            1.05,
        ),
        trajectory=TrajectoryHead(
            _booster(rng, wide, objective="binary", leaves=2),
            _booster(rng, wide, objective="binary", leaves=6),
            np.array([[0.9, 0.0, 0.1], [0.05, 0.0, 1.1], [-0.4, 0.0, -0.6]]),
            health,
            len(heads[0].horizons_days) - 1 if health else None,
        ),
        effects=EffectHeads(
            heads=_effect_heads(rng, matrix),
            draws=(900, 0, 700, 60),
            learnt=(True, False, True, True),
            window_days=90,
        ),
    )


def make_uncertainty(rng: np.random.Generator, head: HazardHead) -> Uncertainty:
    """Return an uncertainty with random factors; intervals that share a booster share them."""
    plans, factors = {}, {}
    for booster in head.boosters:
        leaves = tuple(tree.n_leaves for tree in read_trees(booster))
        if id(booster) not in factors:
            factors[id(booster)] = rng.normal(0, 0.05, (sum(leaves), RANK))
        plans[id(booster)] = TreePlan(leaves, np.ones(len(leaves)), np.ones(len(leaves)), 0)
    return Uncertainty(
        head=head,
        plans=tuple(plans[id(booster)] for booster in head.boosters),
        factors=tuple(factors[id(booster)] for booster in head.boosters),
        scale=tuple(float(value) for value in rng.uniform(1, 3, len(head.boosters))),
        floor=tuple(float(value) for value in rng.uniform(0, 0.2, len(head.boosters))),
        z=1.6448536269514722,
        explained=0.97,
    )


def _effect_heads(rng: np.random.Generator, matrix: NDArray[np.float64]) -> tuple[UpliftHead, ...]:
    relative, absolute = Prior(0.06, 0.025, "churn_probability"), Prior(0.05, 0.02)

    def bags(*, two: bool, leaves: int) -> tuple[Bag, ...]:
        return tuple(
            Bag(
                _booster(rng, matrix, leaves=leaves),
                _booster(rng, matrix, leaves=leaves) if two else None,
            )
            for _ in range(3)
        )

    def told(action: str, outcome: str, prior: Prior, learner: str, own: tuple[Bag, ...]) -> UpliftHead:
        average = float(raw_effects(own, matrix)[0].mean())
        return UpliftHead(action, outcome, learner, own, prior, 0.04, 0.01, average, 0.6)

    return (
        told(ACTIONS[0], "retained", relative, "dr", bags(two=False, leaves=4)),
        UpliftHead.from_prior(ACTIONS[2], "retained", Prior(0.15, 0.06, "churn_probability")),
        told(ACTIONS[1], "expanded", absolute, "t", bags(two=True, leaves=3)),
        UpliftHead(ACTIONS[0], "expanded", "none", (), absolute, 0.01, 0.008),
    )


def _booster(
    rng: np.random.Generator,
    matrix: NDArray[np.float64],
    *,
    objective: str = "regression",
    leaves: int = 4,
    trees: int = 6,
) -> lgb.Booster:
    target: Any = np.nan_to_num(matrix[:, int(rng.integers(matrix.shape[1]))])
    target = (target > np.median(target)) + 0.2 * rng.normal(size=len(matrix))
    if objective == "binary":
        target = (target > 0.5).astype(np.float64)
    settings = {
        "objective": objective,
        "num_leaves": leaves,
        "learning_rate": 0.2,
        "min_data_in_leaf": 5,
        "num_threads": 1,
        "seed": int(rng.integers(1000)),
        "verbose": -1,
    }
    return lgb.train(settings, lgb.Dataset(matrix, target), trees)
