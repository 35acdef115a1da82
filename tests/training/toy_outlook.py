"""What the outlook of the toy world is learnt from: amounts, health levels and draws with known effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training import toy
from training.heads.uplift.shrinkage import Prior
from training.labels_trajectory import LevelSeries
from training.outlook_sources import OutlookSources
from training.treatments import LoggedTreatments

GUIDE, CALL, BACK = "enablement_guide", "success_call", "win_back_call"
BROUGHT_BACK = 0.2
"""What the call does for accounts that have left, of whom a tenth comes back without it."""
PRIORS = {
    (CALL, "retained"): Prior(0.15, 0.06, "churn_probability"),
    (GUIDE, "retained"): Prior(0.06, 0.025, "churn_probability"),
    (BACK, "returned"): Prior(0.05, 0.1),
    ("never_drawn", "retained"): Prior(0.5, 0.1),
}


def sources(rows, *, draws=900, leavers=0, seed=2):
    """Return sources for *rows* of the toy world: health follows `risk`, the guide helps those in `need` to expand.

    Of the draws *leavers* are of accounts that had left instead, between nothing and a call that brings some back.
    """
    rng = np.random.default_rng(seed)
    ratio = np.where(
        rows.labels.event_days["upsell"] < 90, 0.2 + 0.1 * rng.normal(size=len(rows.labels)), np.nan
    )
    known = levels(rows, rng)
    logged, matrix = treatments(rng, draws)
    return OutlookSources(
        log_ratios=ratio,
        levels=known,
        treatments=with_leavers(logged, leavers, seed) if leavers else logged,
        draws=matrix,
        priors=PRIORS,
        facts={"left_out_draws": {"open": 3}},
    )


def levels(rows, rng):
    """Return daily levels around each cutoff: 60 the day before, and as `risk` has it at the end of the horizon."""
    accounts, cutoffs = rows.labels.account_id, rows.labels.cutoff
    later = 60 - 12 * rows.matrix[:, 0] + 4 * rng.normal(size=len(cutoffs))
    offsets = np.array([-1, *range(76, 90)])
    days = (cutoffs[:, None] + offsets[None, :]).ravel()
    level = np.column_stack([np.full(len(cutoffs), 60.0), *([later] * 14)]).ravel()
    ids = np.repeat(accounts, len(offsets))
    inside = days <= np.datetime64(toy.LAST)
    _, first = np.unique(
        np.array([ids[inside].astype(str), days[inside].astype(str)]), axis=1, return_index=True
    )
    return LevelSeries(ids[inside][first], days[inside][first], level[inside][first])


def treatments(rng, draws):
    """Return draws of two actions at even chances over time, and features of each."""
    matrix = toy.world(accounts=max(60, draws // 10), seed=int(rng.integers(1_000))).matrix
    matrix = matrix[rng.integers(0, len(matrix), draws)]
    action = rng.integers(0, 2, draws)
    taken = rng.random(draws) < 0.5
    propensities = np.zeros((draws, 3))
    propensities[:, 0] = 0.5
    propensities[np.arange(draws), action + 1] = 0.5
    day = np.sort(rng.integers(60, 500, draws))
    base = 1 / (1 + np.exp(2.0 - 0.5 * matrix[:, 1]))
    expanded = rng.random(draws) < base + 0.3 * taken * (action == 0) * (matrix[:, 1] > 0)
    return (
        LoggedTreatments(
            account_id=np.array([f"a{number % 60:04d}" for number in range(draws)], dtype=object),
            treated_at=(np.datetime64(toy.FIRST) + day).astype("datetime64[us]"),
            actions=(GUIDE, CALL),
            arm=np.where(taken, action + 1, 0).astype(np.intp),
            propensities=propensities,
            outcomes={
                "retained": (rng.random(draws) < 0.9).astype(np.float64),
                "expanded": expanded.astype(np.float64),
            },
        ),
        matrix,
    )


def with_leavers(logged, leavers, seed):
    """Return *logged* with every third draw, *leavers* of them, of accounts that had left."""
    rng = np.random.default_rng(seed + 100)
    gone = np.flatnonzero(np.arange(len(logged)) % 3 == 0)[:leavers]
    taken = rng.random(len(gone)) < 0.5
    arm = logged.arm.copy()
    arm[gone] = np.where(taken, 3, 0)
    propensities = np.column_stack([logged.propensities, np.zeros(len(logged))])
    propensities[gone] = [0.5, 0.0, 0.0, 0.5]
    outcomes = {name: values.copy() for name, values in logged.outcomes.items()}
    for values in outcomes.values():
        values[gone] = np.nan
    returned = np.full(len(logged), np.nan)
    returned[gone] = rng.random(len(gone)) < 0.1 + BROUGHT_BACK * taken
    return replace(
        logged,
        actions=(*logged.actions, BACK),
        arm=arm,
        propensities=propensities,
        outcomes=outcomes | {"returned": returned},
    )
