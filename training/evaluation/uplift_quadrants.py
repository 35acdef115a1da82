"""Sure things, persuadables, lost causes and sleeping dogs: how many of each an action would meet.

Nobody sees the same account with and without an action, so no account's quadrant is ever known, only chances of it.
From the two chances of a good outcome, with the action (p1) and without (p0), the shares follow if the action never
helps and harms accounts that look alike (monotone given the features), the least movement that p0 and p1 allow:

    persuadable max(p1 - p0, 0) · sleeping dog max(p0 - p1, 0) · sure thing min(p0, p1) · lost cause 1 - max(p0, p1)

(J. Tian and J. Pearl, 2000, "Probabilities of causation: bounds and identification".)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.bootstrap import AccountBootstrap, Estimate

Quadrant: TypeAlias = Literal["persuadable", "sure_thing", "lost_cause", "sleeping_dog"]
QUADRANTS: tuple[Quadrant, ...] = get_args(Quadrant)


def quadrant_chances(baseline: NDArray[np.float64], effect: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chance of each of `QUADRANTS` for every account, shape (n, 4); rows sum to 1.

    Args:
        baseline: Shape (n,), chance of the good outcome (staying, expanding) without the action.
        effect: Shape (n,), what the action adds to it; the sum is held within 0 and 1.
    """
    without = np.clip(baseline, 0.0, 1.0)
    with_action = np.clip(without + effect, 0.0, 1.0)
    return np.column_stack(
        [
            np.maximum(with_action - without, 0.0),
            np.minimum(with_action, without),
            1.0 - np.maximum(with_action, without),
            np.maximum(without - with_action, 0.0),
        ]
    )


def quadrant_shares(
    baseline: NDArray[np.float64],
    effect: NDArray[np.float64],
    bootstrap: AccountBootstrap,
    *,
    error: NDArray[np.float64] | None = None,
    seed: int = 7,
) -> dict[Quadrant, Estimate]:
    """Return the expected share of each quadrant, with account-bootstrap intervals.

    The intervals hold the chance of having met these accounts and the error of the estimated effects: with every
    resample all effects move together by one normal draw of their standard errors, as they do where an average is
    wrong. Left as they are: the baseline, and how far single accounts stand from what is estimated of them.

    Args:
        baseline: Shape (n,), chance of the good outcome without the action.
        effect: Shape (n,), what the action adds to it.
        bootstrap: Resamples of the accounts of the n rows.
        error: Shape (n,), standard error of the estimated effects; none if None.
        seed: Seed of the draws of that error.
    """
    moved = np.zeros(len(effect)) if error is None else error
    whole = quadrant_chances(baseline, effect)
    generator = np.random.default_rng(seed)

    def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(
            [
                weight
                @ quadrant_chances(baseline, effect + generator.standard_normal() * moved)
                / weight.sum()
                for weight in weights
            ]
        )

    drawn = np.vstack([whole.mean(axis=0)[None, :], bootstrap.draws(shares)])
    return {name: bootstrap.summarise(drawn[:, index]) for index, name in enumerate(QUADRANTS)}


def assign(
    baseline: NDArray[np.float64],
    effect: NDArray[np.float64],
    standard_error: NDArray[np.float64],
    *,
    z: float = 1.6448536269514722,
) -> NDArray[np.object_]:
    """Return the quadrant that each account is treated as, shape (n,).

    Persuadable where the effect is surely above zero (`effect - z * standard_error > 0`), sleeping dog where it is
    surely below; the rest are sure things if the good outcome is likelier than not without the action, else lost
    causes.

    Args:
        baseline: Shape (n,), chance of the good outcome without the action.
        effect: Shape (n,), estimated effect.
        standard_error: Shape (n,), its standard error.
        z: How sure; 1.645 leaves 5 % on either side.
    """
    names = np.where(baseline > 0.5, "sure_thing", "lost_cause").astype(object)  # noqa: PLR2004 likelier than not
    names[effect - z * standard_error > 0] = "persuadable"
    names[effect + z * standard_error < 0] = "sleeping_dog"
    return names
