"""Every figure of uplift heads on draws that they have not seen, ready for the manifest and the model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.policy_value import (
    PolicyLog,
    best_single_arm,
    doubly_robust,
    greedy_policy,
    one_arm_for_everyone,
    policy_values,
    random_policy,
)
from training.evaluation.uplift_calibration import uplift_calibration
from training.evaluation.uplift_curves import (
    UpliftRows,
    qini_coefficient,
    qini_points,
    ranking_figures,
)
from training.evaluation.uplift_quadrants import assign, quadrant_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.heads.uplift.draws import Draws
    from training.heads.uplift.head import UpliftHead

MIN_JUDGED_PER_ARM = 20
Z_90 = 1.6448536269514722
"""Standard errors between an effect and the lower end of its 90 % interval, which decisions ask to be above zero."""


def head_figures(
    head: UpliftHead, draws: Draws, action: int, *, samples: int, seed: int
) -> dict[str, Any] | None:
    """Return ranking, calibration and quadrants of one head, or None if *draws* hold too few of its action.

    Args:
        head: Fitted to other draws.
        draws: What it is judged on, with expected outcomes by models that have not seen them.
        action: Its position among the actions of *draws*.
        samples: Resamples of the accounts.
        seed: Seed of the resampling.
    """
    rows, positions = draws.effect_rows(action)
    taken = int(rows.treated.sum())
    if min(taken, len(positions) - taken) < MIN_JUDGED_PER_ARM:
        return None
    judged = UpliftRows(rows.account_id, rows.treated, rows.chance, rows.outcome)
    churn = None if draws.churn_probability is None else draws.churn_probability[positions]
    effect, error = head.effects(rows.matrix, churn)
    of_mean = head.errors_of_mean(rows.matrix, churn)
    baseline = rows.expected[0, :, 0]
    propensity = 1.0 - baseline if draws.outcome == "retained" else baseline
    bootstrap = AccountBootstrap(rows.account_id, samples=samples, seed=seed)
    calibration = uplift_calibration(judged, effect, samples=samples, seed=seed)
    shares = quadrant_shares(baseline, effect, bootstrap, error=of_mean, seed=seed)
    quadrants = assign(baseline, effect, error)
    return {
        "draws": len(positions),
        "treated": taken,
        "ranking": {
            name: figure.as_dict() for name, figure in ranking_figures(judged, effect, bootstrap).items()
        },
        "qini_curve": qini_points(judged, effect, bootstrap=bootstrap) if np.ptp(effect) > 0 else None,
        "qini_of_propensity_ranking": bootstrap.estimate(
            lambda weight: qini_coefficient(judged, propensity, weight)
        ).as_dict(),
        "calibration": calibration.as_dict(),
        "quadrants": {name: share.as_dict() for name, share in shares.items()},
        "acted_on_as": {
            str(name): round(float(np.mean(quadrants == name)), 6)
            for name in np.unique(quadrants.astype(str))
        },
        "standard_error": {
            "median": round(float(np.median(error)), 6),
            "median_of_mean": round(float(np.median(of_mean)), 6),
        },
    }


def pooled_calibration(
    effects: NDArray[np.float64], draws: Draws, *, samples: int, seed: int
) -> dict[str, Any] | None:
    """Return the calibration of all actions together, or None if no action could be judged by itself.

    Args:
        effects: Shape (n, K), estimated effect of every action in each of the n draws.
        draws: What heads are judged on.
        samples: Resamples of the accounts.
        seed: Seed of the resampling.
    """
    parts, told = [], []
    for action in range(len(draws.treatments.actions)):
        rows, positions = draws.effect_rows(action)
        taken = int(rows.treated.sum())
        if min(taken, len(positions) - taken) >= MIN_JUDGED_PER_ARM:
            parts.append(rows)
            told.append(effects[positions, action])
    if not parts:
        return None
    together = UpliftRows(
        np.concatenate([rows.account_id for rows in parts]),
        np.concatenate([rows.treated for rows in parts]),
        np.concatenate([rows.chance for rows in parts]),
        np.concatenate([rows.outcome for rows in parts]),
    )
    return uplift_calibration(together, np.concatenate(told), samples=samples, seed=seed).as_dict()


def policy_figures(
    effects: NDArray[np.float64],
    errors: NDArray[np.float64],
    train: Draws,
    draws: Draws,
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the value of acting where the effect is above zero, against other policies, by three estimators.

    `uplift` takes the largest effect if that is above zero. `mean_surely_above_zero` asks, as decisions do, that the
    lower end of the 90 % interval of the mean over accounts alike be above zero; decisions then also weigh both
    outcomes by money and take off what an action costs, which draws of one outcome can't tell. `surely_above_zero`
    asks it of the single account's interval.

    Args:
        effects: Shape (n, K), estimated effect of every action in each of the n draws.
        errors: Shape (2, n, K), standard errors of a single account's effect, and of the mean over accounts alike.
        train: Earlier draws, from which the best single action is chosen.
        draws: What policies are judged on.
        samples: Resamples of the accounts.
        seed: Seed of the resampling.
    """
    log, _ = PolicyLog.of(draws.treatments, draws.outcome)
    best = best_single_arm(PolicyLog.of(train.treatments, train.outcome)[0])
    expected = draws.expected[0]
    policies = {
        "uplift": greedy_policy(effects, log.propensities),
        "surely_above_zero": greedy_policy(_sure(effects, errors[0]), log.propensities),
        "mean_surely_above_zero": greedy_policy(_sure(effects, errors[1]), log.propensities),
        "best_single_action": one_arm_for_everyone(log.propensities, best),
        "every_proposed_action": greedy_policy(np.ones_like(effects), log.propensities),
        "random": random_policy(log.propensities),
        "nothing": one_arm_for_everyone(log.propensities, 0),
    }
    bootstrap = AccountBootstrap(log.account_id, samples=samples, seed=seed)
    names = ("nothing", *draws.treatments.actions)
    return {
        "draws": len(log.arm),
        "best_single_action": names[best],
        "acts_in": round(float(1.0 - policies["uplift"][:, 0].mean()), 6),
        "surely_acts_in": round(float(1.0 - policies["mean_surely_above_zero"][:, 0].mean()), 6),
        "value": {
            name: {
                kind: figure.as_dict()
                for kind, figure in policy_values(log, policy, expected, bootstrap).items()
            }
            for name, policy in policies.items()
        },
        "uplift_less_others": {
            name: bootstrap.estimate(
                lambda weight, other=policy: (  # type: ignore[misc]
                    doubly_robust(log, policies["uplift"], expected, weight)
                    - doubly_robust(log, other, expected, weight)
                )
            ).as_dict()
            for name, policy in policies.items()
            if name != "uplift"
        },
    }


def _sure(effects: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the effects whose 90 % interval lies above zero; the others as one below it."""
    return np.where(effects - Z_90 * errors > 0, effects, -1.0)
