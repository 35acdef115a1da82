"""What acting on each estimate would bring on a synthetic world, by its truth: an outcome at a time, and in money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.synthetic_estimates import PRIORS, SHIPPED, Estimates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from benchmarks.synthetic_estimates import Told
    from training.treatments import Outcome

WORTH: Final[dict[Outcome, float]] = {"retained": 1.0, "expanded": 0.3}
"""Declared worth of an outcome in units of the account's MRR: one that stays keeps it, one that expands adds 30 %."""
TREATED_SHARE: Final = 0.3
"""Share of the accounts that a ranking by propensity treats."""
ORACLE: Final = "oracle that knows the truth"
SURE: Final = f"{SHIPPED}, only where it is surely above zero for the account"
SERVED: Final = f"{SHIPPED}, only where the mean of accounts alike is surely above zero (as served)"
SURE_PRIORS: Final = f"{PRIORS}, only where surely above zero"
Z_90: Final = 1.6448536269514722


def in_money(found: Mapping[Outcome, Estimates]) -> Estimates:
    """Return the value of each action in units of MRR: both outcomes by their worth, errors as independent ones."""
    total = np.asarray(sum(WORTH[outcome] * one.effect for outcome, one in found.items()), dtype=np.float64)
    errors = [
        np.sqrt(
            np.asarray(sum((WORTH[outcome] * error) ** 2 for outcome, error in of.items()), dtype=np.float64)
        )
        for of in (
            {outcome: one.standard_error for outcome, one in found.items()},
            {outcome: one.of_mean for outcome, one in found.items()},
        )
    ]
    return Estimates(total, *errors)


def gain_of(
    one: Estimates, truth: NDArray[np.float64], *, error: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the true gain of taking, for each draw, the action that is estimated best, shape (m,).

    Args:
        one: Estimates of m draws and K actions.
        truth: Shape (m, K).
        error: Shape (m, K): take only actions that lie so many standard errors above zero as the lower end of a 90 %
            interval; any that is above zero if None.
    """
    effect = one.effect
    if error is not None:
        effect = np.where(effect - Z_90 * error > 0, effect, -1.0)
    best = np.argmax(np.column_stack([np.zeros(len(truth)), effect]), axis=1)
    return np.asarray(
        np.column_stack([np.zeros(len(truth)), truth])[np.arange(len(truth)), best], dtype=np.float64
    )


def policies(
    found: Mapping[str, Estimates],
    truth: NDArray[np.float64],
    *,
    single: tuple[str, int],
    propensity: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Return the true gain of every policy, shape (m,) each.

    Args:
        found: By way of estimating.
        truth: Shape (m, K), true effects, or values, of every action.
        single: Name and position of the action that did best on average in the earlier draws.
        propensity: Shape (m,), how likely the bad outcome, or the expansion, is.
    """
    name, action = single
    gains = {ORACLE: np.maximum(truth.max(axis=1), 0.0)}
    gains |= {label: gain_of(one, truth) for label, one in found.items()}
    ours, declared = found[SHIPPED], found[PRIORS]
    gains[SURE] = gain_of(ours, truth, error=ours.standard_error)
    gains[SERVED] = gain_of(ours, truth, error=ours.of_mean)
    gains[SURE_PRIORS] = gain_of(declared, truth, error=declared.of_mean)
    gains[f"best single action for everyone ({name})"] = truth[:, action]
    top = propensity >= np.quantile(propensity, 1.0 - TREATED_SHARE)
    gains[f"the same for the {TREATED_SHARE:.0%} of highest propensity"] = np.where(
        top, truth[:, action], 0.0
    )
    gains["random action"] = truth.mean(axis=1)
    gains["nothing"] = np.zeros(len(truth))
    return gains


def money_policies(
    told: Told, truth: Mapping[Outcome, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Return the true gain of every policy in units of MRR, where the action is chosen by the sum of both outcomes.

    Args:
        told: Estimates of one world.
        truth: By outcome, shape (m, K).
    """
    names = list(next(iter(told.estimates.values())))
    found = {
        name: in_money({outcome: one[name] for outcome, one in told.estimates.items()}) for name in names
    }
    value = np.asarray(sum(WORTH[outcome] * one for outcome, one in truth.items()), dtype=np.float64)
    best = int(np.argmax(found[SHIPPED].effect.mean(axis=0)))
    return policies(
        found, value, single=(told.later.actions[best], best), propensity=told.propensity["retained"]
    )
