"""What a policy would have brought, told from draws of another policy whose propensities were logged.

Three estimators: inverse propensity scoring (unbiased), its self-normalised form (less variance, a little bias), and
doubly robust (unbiased with known propensities, and less variance the better the outcome model is).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap, Estimate
    from training.treatments import LoggedTreatments


class UnsupportedPolicyError(TrainingError):
    """A policy takes an action that the log could not have drawn, so that nothing tells what it would bring."""


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """n draws with known outcomes among K actions and nothing (arm 0).

    Attributes:
        account_id: Shape (n,), object.
        arm: Shape (n,), 0 to K.
        propensities: Shape (n, K + 1).
        outcome: Shape (n,), higher is better.
    """

    account_id: NDArray[np.object_]
    arm: NDArray[np.intp]
    propensities: NDArray[np.float64]
    outcome: NDArray[np.float64]

    @classmethod
    def of(cls, treatments: LoggedTreatments, outcome: str) -> tuple[PolicyLog, NDArray[np.intp]]:
        """Return the draws whose *outcome* is known, and their positions in *treatments*."""
        rows = np.flatnonzero(np.isfinite(treatments.outcomes[outcome]))
        return cls(
            treatments.account_id[rows],
            treatments.arm[rows],
            treatments.propensities[rows],
            treatments.outcomes[outcome][rows],
        ), rows

    def ratio(self, policy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much likelier *policy* is to take the arm that was drawn than the log was, shape (n,).

        Args:
            policy: Shape (n, K + 1): the chance of each arm; rows sum to 1.

        Raises:
            UnsupportedPolicyError: It takes an arm where that had no propensity.
        """
        if policy.shape != self.propensities.shape or not np.allclose(policy.sum(axis=1), 1.0):
            raise ValueError(
                f"a policy is a chance an arm, shape {self.propensities.shape}, rows summing to 1"
            )
        impossible = int(((policy > 0) & (self.propensities <= 0)).any(axis=1).sum())
        if impossible:
            raise UnsupportedPolicyError(
                f"the policy takes, in {impossible} of {len(policy)} rows, an arm that could not be drawn there; "
                "let it choose among the arms with a propensity above 0"
            )
        rows = np.arange(len(self.arm))
        return np.asarray(policy[rows, self.arm] / self.propensities[rows, self.arm], dtype=np.float64)


def ips(
    log: PolicyLog, policy: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the mean outcome under *policy* by inverse propensity scoring, shape (b,).

    `mean(ratio * outcome)` (Horvitz and Thompson, 1952).

    Args:
        log: n draws.
        policy: Shape (n, K + 1).
        weight: Shape (n,) or (b, n); ones if None.

    Raises:
        UnsupportedPolicyError: The policy takes an arm that could not be drawn.
    """
    weights = _weights(log, weight)
    return np.asarray(weights @ (log.ratio(policy) * log.outcome) / weights.sum(axis=1), dtype=np.float64)


def snips(
    log: PolicyLog, policy: NDArray[np.float64], weight: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the mean outcome under *policy*, self-normalised, shape (b,); NaN if no draw agrees with the policy.

    `sum(ratio * outcome) / sum(ratio)` (Swaminathan and Joachims, 2015, "The self-normalized estimator for
    counterfactual learning").

    Args:
        log: n draws.
        policy: Shape (n, K + 1).
        weight: Shape (n,) or (b, n); ones if None.

    Raises:
        UnsupportedPolicyError: The policy takes an arm that could not be drawn.
    """
    weights, ratio = _weights(log, weight), log.ratio(policy)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(weights @ (ratio * log.outcome) / (weights @ ratio), dtype=np.float64)


def doubly_robust(
    log: PolicyLog,
    policy: NDArray[np.float64],
    expected: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the mean outcome under *policy*, doubly robust, shape (b,).

    `mean(sum_k policy_k * expected_k + ratio * (outcome - expected of the drawn arm))` (Dudík, Langford and Li, 2011,
    "Doubly robust policy evaluation and learning").

    Args:
        log: n draws.
        policy: Shape (n, K + 1).
        expected: Shape (n, K + 1): expected outcome of each arm by a model that did not see the row.
        weight: Shape (n,) or (b, n); ones if None.

    Raises:
        UnsupportedPolicyError: The policy takes an arm that could not be drawn.
    """
    weights = _weights(log, weight)
    residual = log.outcome - expected[np.arange(len(log.arm)), log.arm]
    value = (policy * expected).sum(axis=1) + log.ratio(policy) * residual
    return np.asarray(weights @ value / weights.sum(axis=1), dtype=np.float64)


def policy_values(
    log: PolicyLog, policy: NDArray[np.float64], expected: NDArray[np.float64], bootstrap: AccountBootstrap
) -> dict[str, Estimate]:
    """Return the value of *policy* by `ips`, `snips` and `doubly_robust`, with account-bootstrap intervals."""
    return {
        "ips": bootstrap.estimate(lambda weight: ips(log, policy, weight)),
        "snips": bootstrap.estimate(lambda weight: snips(log, policy, weight)),
        "doubly_robust": bootstrap.estimate(lambda weight: doubly_robust(log, policy, expected, weight)),
    }


def choosing(arm: NDArray[np.intp], arms: int) -> NDArray[np.float64]:
    """Return the policy that takes *arm*, shape (n,), for certain: shape (n, arms)."""
    return np.eye(arms)[arm]


def random_policy(propensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the policy that draws each arm that can be drawn with equal chance, shape (n, K + 1)."""
    possible = (propensities > 0).astype(np.float64)
    return np.asarray(possible / possible.sum(axis=1, keepdims=True), dtype=np.float64)


def one_arm_for_everyone(propensities: NDArray[np.float64], arm: int) -> NDArray[np.float64]:
    """Return the policy that takes *arm* wherever it can be drawn and does nothing elsewhere, shape (n, K + 1)."""
    return choosing(np.where(propensities[:, arm] > 0, arm, 0).astype(np.intp), propensities.shape[1])


def best_single_arm(log: PolicyLog) -> int:
    """Return the arm whose policy for everyone has the highest self-normalised value; ask it of training rows."""
    values = [
        float(snips(log, one_arm_for_everyone(log.propensities, arm))[0])
        for arm in range(log.propensities.shape[1])
    ]
    return int(np.nanargmax(values))


def greedy_policy(effects: NDArray[np.float64], propensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the policy that takes the possible action of the largest effect, nothing if none is above zero.

    Args:
        effects: Shape (n, K): estimated effect of each action against nothing.
        propensities: Shape (n, K + 1): arms without propensity can't be chosen.
    """
    gain = np.column_stack([np.zeros(len(effects)), effects])
    gain = np.where(propensities > 0, gain, -np.inf)
    return choosing(np.argmax(gain, axis=1), gain.shape[1])


def _weights(log: PolicyLog, weight: NDArray[np.float64] | None) -> NDArray[np.float64]:
    return np.ones((1, len(log.arm))) if weight is None else np.atleast_2d(weight)
