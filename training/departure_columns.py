"""The features that only accounts without a paid subscription have, kept out of models of all others.

LightGBM draws the features of a tree among all that have more than one bin, and a column that is missing throughout has
two: none and missing. It would take turns with the features that tell something. A column of zeros has one, and is left
out. So what a model of accounts with a subscription is fitted to has zeros there; no tree can split on them, and it
makes no difference that such an account is served with nothing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DAYS_FEATURE = "days_since_end"
DEPARTURE_FEATURES = (DAYS_FEATURE, "mrr_at_end", "ended_unpaid", "times_left")


def subscribed_as_zero(matrix: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    """Return *matrix* with 0 in the columns of the departure, in rows that know of none; itself if nothing changes.

    Args:
        matrix: Shape (n, f).
        names: Of the f columns.
    """
    columns = [at for at, name in enumerate(names) if name in DEPARTURE_FEATURES]
    if DAYS_FEATURE not in names or not columns:
        return matrix
    here = np.isnan(matrix[:, list(names).index(DAYS_FEATURE)])
    if not here.any():
        return matrix
    filled = matrix.copy()
    filled[np.ix_(here, np.array(columns))] = 0.0
    return filled
