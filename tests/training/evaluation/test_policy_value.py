"""Estimators of policy value against simulated draws in which every policy's value is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.uplift_world import draws
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.policy_value import (
    PolicyLog,
    UnsupportedPolicyError,
    best_single_arm,
    choosing,
    doubly_robust,
    greedy_policy,
    ips,
    one_arm_for_everyone,
    policy_values,
    random_policy,
    snips,
)

REPEATS = 200


def setting(seed, n=400):
    """Return a log, the true chance of each arm's outcome, a policy that knows it, and the true value of that."""
    logged, _, true, chances = draws(n, seed=seed, proposed=False)
    log, _ = PolicyLog.of(logged, "retained")
    policy = greedy_policy(true, log.propensities)
    return log, chances, policy, float((policy * chances).sum(axis=1).mean())


@pytest.fixture(scope="module")
def repeated():
    """Errors of each estimator over many logs; the doubly robust one once with a wrong model, once with the truth."""
    errors = {"ips": [], "snips": [], "wrong model": [], "right model": [], "direct, wrong model": []}
    for seed in range(REPEATS):
        log, chances, policy, value = setting(seed)
        wrong = np.full_like(chances, 0.9)
        errors["ips"].append(ips(log, policy)[0] - value)
        errors["snips"].append(snips(log, policy)[0] - value)
        errors["wrong model"].append(doubly_robust(log, policy, wrong)[0] - value)
        errors["right model"].append(doubly_robust(log, policy, chances)[0] - value)
        errors["direct, wrong model"].append((policy * wrong).sum(axis=1).mean() - value)
    return {name: np.array(values) for name, values in errors.items()}


@pytest.mark.parametrize("name", ["ips", "snips", "wrong model", "right model"])
def test_an_estimator_is_right_on_average(repeated, name):
    """Over many logs the mean error is within three of its standard errors of zero, even with a wrong outcome model."""
    errors = repeated[name]
    assert abs(errors.mean()) < 3 * errors.std(ddof=1) / np.sqrt(REPEATS)


def test_a_wrong_model_alone_would_mislead(repeated):
    """The same wrong model without the correction is far off, so the test above can fail."""
    assert abs(repeated["direct, wrong model"].mean()) > 0.2


def test_a_right_model_and_normalising_take_noise_away(repeated):
    """Doubly robust with the true model has the least spread, and self-normalising less than plain weighting."""
    spread = {name: errors.std() for name, errors in repeated.items()}
    assert spread["right model"] < spread["snips"] < spread["ips"]


def test_intervals_hold_the_truth_as_often_as_they_say():
    """The 95 % account-bootstrap interval of each estimator holds the true value in most of 60 logs."""
    held = {"ips": 0, "snips": 0, "doubly_robust": 0}
    for seed in range(60):
        log, chances, policy, value = setting(1000 + seed)
        found = policy_values(log, policy, chances, AccountBootstrap(log.account_id, samples=120, seed=seed))
        for name, one in found.items():
            held[name] += one.low <= value <= one.high
    assert all(count >= 52 for count in held.values()), held


def test_a_policy_may_only_take_what_could_have_been_drawn():
    """An arm without propensity is refused, with the number of rows; so is what is not a policy."""
    logged, *_ = draws(50)
    log, _ = PolicyLog.of(logged, "retained")
    with pytest.raises(UnsupportedPolicyError, match="of 50 rows"):
        ips(log, choosing(np.full(50, 1), 3))
    with pytest.raises(ValueError, match="summing to 1"):
        ips(log, np.full((50, 3), 0.5))


def test_baselines_and_the_greedy_policy_keep_to_possible_arms():
    """One arm for everybody falls back to nothing, a random policy is even, and the greedy one wants a gain."""
    propensities = np.array([[0.5, 0.5, 0.0], [0.4, 0.0, 0.6]])
    assert one_arm_for_everyone(propensities, 1).argmax(axis=1).tolist() == [1, 0]
    assert random_policy(propensities).tolist() == [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]
    effects = np.array([[0.1, 0.9], [0.9, -0.1]])
    assert greedy_policy(effects, propensities).argmax(axis=1).tolist() == [1, 0]


def test_the_best_single_arm_is_found():
    """With enough draws the arm of the largest average effect is chosen."""
    logged, _, true, _ = draws(20_000, proposed=False)
    log, _ = PolicyLog.of(logged, "retained")
    assert best_single_arm(log) == 1 + int(np.argmax(true.mean(axis=0)))
