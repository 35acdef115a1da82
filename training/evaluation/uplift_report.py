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
from training.evaluation.uplift_calibration import calibration_bins, calibration_error
from training.evaluation.uplift_curves import (
    UpliftRows,
    qini_coefficient,
    qini_points,
    ranking_figures,
)
from training.evaluation.uplift_quadrants import assign, quadrant_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.heads.uplift.fitting import Draws
    from training.heads.uplift.head import UpliftHead

MIN_JUDGED_PER_ARM = 20


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
    baseline = rows.expected[0, :, 0]
    propensity = 1.0 - baseline if draws.outcome == "retained" else baseline
    bootstrap = AccountBootstrap(rows.account_id, samples=samples, seed=seed)
    bins = calibration_bins(judged, effect, samples=samples, seed=seed)
    quadrants = assign(baseline, effect, error)
    return {
        "draws": len(positions),
        "treated": taken,
        "ranking": {
            name: figure.as_dict() for name, figure in ranking_figures(judged, effect, bootstrap).items()
        },
        "qini_curve": qini_points(judged, effect) if np.ptp(effect) > 0 else None,
        "qini_of_propensity_ranking": bootstrap.estimate(
            lambda weight: qini_coefficient(judged, propensity, weight)
        ).as_dict(),
        "calibration": {
            "bins": [one.as_dict() for one in bins],
            "error": round(calibration_error(bins), 6),
        },
        "quadrants": {
            name: share.as_dict() for name, share in quadrant_shares(baseline, effect, bootstrap).items()
        },
        "acted_on_as": {
            str(name): round(float(np.mean(quadrants == name)), 6)
            for name in np.unique(quadrants.astype(str))
        },
        "standard_error": {"median": round(float(np.median(error)), 6)},
    }


def policy_figures(
    effects: NDArray[np.float64], train: Draws, draws: Draws, *, samples: int, seed: int
) -> dict[str, Any]:
    """Return the value of acting where the effect is above zero, against simpler policies, by three estimators.

    Args:
        effects: Shape (n, K), estimated effect of every action in each of the n draws.
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
