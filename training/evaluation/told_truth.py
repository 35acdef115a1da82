"""What features can tell of a known truth: the estimand of an interval, apart from what no feature says.

True probabilities of a simulation depend on things that leave no trace in features. The best that any model of the
features can say is their mean given the features; an interval claims to hold that. Here it is regressed on the features
from the true probabilities themselves, which are hundreds of times as telling as outcomes of 0 and 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
_ROUNDS = 200
_PARAMETERS = {
    "objective": "cross_entropy",
    "num_leaves": 15,
    "learning_rate": 0.05,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.5,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


def truth_that_features_tell(
    matrix: NDArray[np.float64], truth: NDArray[np.float64], account_id: NDArray[np.object_], *, seed: int
) -> NDArray[np.float64]:
    """Return the mean of true probabilities given the features, shape (n,), each fifth of accounts told by the others.

    Args:
        matrix: Shape (n, features).
        truth: Shape (n,), true probabilities.
        account_id: Shape (n,).
        seed: Of the folds and of the regression.
    """
    known, account = np.unique(account_id.astype(str), return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(known)) % FOLDS)[account]
    found = np.full(len(truth), np.nan)
    for number in range(FOLDS):
        out = fold == number
        if out.any() and not out.all():
            data = lgb.Dataset(matrix[~out], truth[~out])
            booster = lgb.train({**_PARAMETERS, "seed": seed}, data, _ROUNDS)
            found[out] = np.asarray(booster.predict(matrix[out]), dtype=np.float64)
    return found
