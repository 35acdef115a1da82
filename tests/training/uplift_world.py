"""Draws whose true effects are known: chances differ between accounts, and an action helps some and harms others."""

from __future__ import annotations

import numpy as np

from training.heads.uplift.settings import UpliftSettings
from training.treatments import LoggedTreatments

ACTIONS = ("call", "offer")
START = np.datetime64("2025-01-01", "us")
SMALL = UpliftSettings(
    single_models=1,
    bags=3, trees=25, rows_per_leaf=100, learning_rate=0.1, single_trees=75, shared_trees=125, folds=2, repeats=1,
    nuisance_trees=25,
)  # fmt: skip
"""Sizes that train in a second."""

FRESH = np.random.default_rng(77).normal(size=(3_000, 4))
"""Features of accounts that nothing was learnt from."""


def baseline(matrix):
    """Return the chance of a good outcome without any action, shape (n,)."""
    return 0.35 + 0.25 * (matrix[:, 0] > 0)


def effects(matrix, *, size=1.0):
    """Return the true effect of `call` and `offer`, shape (n, 2): call helps where x1 > 0 and harms elsewhere."""
    call = np.where(matrix[:, 1] > 0, 0.3, -0.15)
    offer = np.full(len(matrix), 0.05)
    return size * np.column_stack([call, offer])


def draws(n=4_000, *, seed=5, size=1.0, proposed=True, days=365):
    """Return draws, features of shape (n, 4), true effects of shape (n, 2), and the chance of staying under each arm.

    Args:
        n: Draws; every account has two.
        seed: Seed.
        size: Factor on all effects.
        proposed: Whether one action is proposed and then taken or held out; else all three arms are drawn at once.
        days: Days over which the draws lie.
    """
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, 4))
    matrix[rng.random(n) < 0.05, 3] = np.nan
    true = effects(matrix, size=size)
    # Accounts that do worse are treated more often: a comparison without propensities would be wrong.
    chance = np.where(matrix[:, 0] > 0, 0.3, 0.7)
    propensities = np.zeros((n, 3))
    if proposed:
        action = rng.integers(0, 2, n)
        propensities[:, 0] = 1 - chance
        propensities[np.arange(n), action + 1] = chance
    else:
        propensities[:] = np.column_stack([1 - chance, chance / 2, chance / 2])
    arm = (rng.random(n)[:, None] > np.cumsum(propensities, axis=1)).sum(axis=1).clip(0, 2).astype(np.intp)
    chances = baseline(matrix)[:, None] + np.column_stack([np.zeros(n), true])
    staying = (rng.random(n) < chances[np.arange(n), arm]).astype(np.float64)
    logged = LoggedTreatments(
        account_id=np.array([f"a{number // 2:05d}" for number in range(n)], dtype=object),
        treated_at=START + (np.sort(rng.random(n)) * days * 86_400e6).astype("timedelta64[us]"),
        actions=ACTIONS,
        arm=arm,
        propensities=propensities,
        outcomes={"retained": staying},
        outcome_days=30,
    )
    return logged, matrix, true, chances
