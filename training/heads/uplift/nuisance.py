"""Expected outcomes of every arm by models that never saw the account they are asked about (cross-fitting).

They only take noise away: with known propensities, effects stay unbiased whatever these models say. So an arm with few
draws borrows the model of all arms together, moved by the arm's mean residual, in place of one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.heads.uplift.regression import boosted, predicted

if TYPE_CHECKING:
    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.heads.uplift.settings import UpliftSettings


def account_folds(account_id: NDArray[np.object_], folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row, shape (n,), 0 to *folds* - 1; all rows of an account are in one."""
    _, of_row = np.unique(account_id.astype(str), return_inverse=True)
    accounts = int(of_row.max()) + 1 if len(of_row) else 0
    order = np.random.default_rng(seed).permutation(accounts)
    return np.asarray(order[of_row] % folds, dtype=np.intp)


def cross_fitted_outcomes(
    matrix: NDArray[np.float64],
    arm: NDArray[np.intp],
    outcome: NDArray[np.float64],
    fold: NDArray[np.intp],
    *,
    arms: int,
    settings: UpliftSettings,
    seed: int,
) -> NDArray[np.float64]:
    """Return the expected outcome of every row under every arm, shape (n, arms), each out of its own fold.

    Args:
        matrix: Shape (n, f), features at the time of the draw.
        arm: Shape (n,), the arm that was drawn.
        outcome: Shape (n,), known throughout.
        fold: Shape (n,), from `account_folds`.
        arms: Number of arms, doing nothing included.
        settings: Sizes.
        seed: Seed of LightGBM.
    """
    expected = np.empty((len(matrix), arms))
    for number in np.unique(fold):
        inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        expected[inside] = expected_outcomes(
            (matrix[others], arm[others], outcome[others]),
            matrix[inside],
            arms=arms,
            settings=settings,
            seed=seed,
        )
    return expected


def outcomes_without(
    matrix: NDArray[np.float64],
    arm: NDArray[np.intp],
    outcome: NDArray[np.float64],
    fold: NDArray[np.intp],
    *,
    arms: int,
    settings: UpliftSettings,
    seed: int,
) -> NDArray[np.float64]:
    """Return expected outcomes by models that saw neither one fold nor the row's own, shape (folds, n, arms).

    Effects learnt with them outside a fold know nothing of its outcomes. Expected outcomes that merely leave out the
    row's own fold carry them over: an effect then seems to come true in the fold that its outcome models had seen.

    Args:
        matrix: Shape (n, f), features at the time of the draw.
        arm: Shape (n,), the arm that was drawn.
        outcome: Shape (n,), known throughout.
        fold: Shape (n,), 0 to folds - 1, each of them with rows; at least three folds.
        arms: Number of arms, doing nothing included.
        settings: Sizes.
        seed: Seed of LightGBM.
    """
    folds = int(fold.max()) + 1
    expected = np.full((folds, len(matrix), arms), np.nan)
    for one in range(folds):
        for other in range(one):
            others = np.flatnonzero((fold != one) & (fold != other))
            asked = np.flatnonzero((fold == one) | (fold == other))
            told = expected_outcomes(
                (matrix[others], arm[others], outcome[others]),
                matrix[asked],
                arms=arms,
                settings=settings,
                seed=seed,
            )
            first = fold[asked] == one
            expected[other, asked[first]] = told[first]
            expected[one, asked[~first]] = told[~first]
    return expected


def expected_outcomes(
    fitted: tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]],
    asked: NDArray[np.float64],
    *,
    arms: int,
    settings: UpliftSettings,
    seed: int,
) -> NDArray[np.float64]:
    """Return the expected outcome of each row of *asked* under every arm, shape (rows, arms).

    Args:
        fitted: Matrix, drawn arm and outcome of the rows that the models are fitted to.
        asked: Shape (rows, f).
        arms: Number of arms, doing nothing included.
        settings: Sizes.
        seed: Seed of LightGBM.
    """
    matrix, arm, outcome = fitted

    def modelled(rows: NDArray[np.intp]) -> lgb.Booster:
        params = settings.outcome_parameters(len(rows), seed)
        return boosted(matrix[rows], outcome[rows], params, trees=settings.nuisance_trees)

    together = modelled(np.arange(len(matrix)))
    base, here = predicted(together, asked), predicted(together, matrix)
    expected = np.empty((len(asked), arms))
    for number in range(arms):
        drawn = np.flatnonzero(arm == number)
        if len(drawn) >= settings.own_model_rows:
            expected[:, number] = predicted(modelled(drawn), asked)
        else:
            # Half a thousand rows' worth of doubt keeps the mean residual of a rare arm near zero.
            moved = float(np.sum(outcome[drawn] - here[drawn]) / (len(drawn) + 500.0))
            expected[:, number] = base + moved
    return expected
