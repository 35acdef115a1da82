"""Features of accounts that have left change nothing of what is learnt from all others."""

from __future__ import annotations

import numpy as np

from tests.training.heads.planted import DEFINITIONS, NAMES, SPLIT, planted
from training.departure_columns import DEPARTURE_FEATURES, subscribed_as_zero
from training.heads.train import HeadRows, train_head


def test_heads_of_accounts_with_a_subscription_are_the_same_with_and_without_them() -> None:
    """Columns that are missing throughout leave every tree, calibration and probability as it is."""
    rows = planted(3, accounts=300)
    parts = rows.parts(SPLIT, DEFINITIONS)

    def probabilities(further: tuple[str, ...]) -> np.ndarray:
        def head_rows(matrix: np.ndarray, of: HeadRows) -> HeadRows:
            return HeadRows(matrix, of.intervals, of.account_id)

        def wide(matrix: np.ndarray) -> np.ndarray:
            return np.hstack([matrix, np.full((len(matrix), len(further)), np.nan)])

        train, validation, refit = (
            head_rows(wide(part.matrix), part.head_rows("churn"))
            for part in (parts.train, parts.validation, parts.refit)
        )
        found = train_head(
            "churn",
            train,
            validation,
            refit,
            definitions=DEFINITIONS,
            feature_names=[*NAMES, *further],
            seed=7,
            num_threads=1,
            progress=lambda _: None,
        )
        assert found.head.boosters[0].num_feature() == len(NAMES) + len(further)
        # A served account may know of a departure; models of others do not read it.
        told = np.hstack([parts.test.matrix, np.full((len(parts.test.matrix), len(further)), 99.0)])
        assert np.array_equal(
            found.head.probabilities(told), found.head.probabilities(wide(parts.test.matrix))
        )
        return found.head.probabilities(told)

    assert np.array_equal(probabilities(()), probabilities(DEPARTURE_FEATURES))
    assert not np.array_equal(probabilities(()), probabilities(("unknown_a", "unknown_b", "unknown_c")))


def test_only_rows_that_know_of_no_departure_are_filled() -> None:
    """A row of an account that has left keeps what it says, missing values included; other columns are not touched."""
    names = ["mrr", *DEPARTURE_FEATURES]
    matrix = np.array([[np.nan] * 5, [1.0, 40.0, np.nan, 1.0, 2.0]])
    filled = subscribed_as_zero(matrix, names)
    assert np.array_equal(filled[0], [np.nan, 0.0, 0.0, 0.0, 0.0], equal_nan=True)
    assert np.array_equal(filled[1], matrix[1], equal_nan=True)
    assert np.isnan(matrix[0]).all()
    assert subscribed_as_zero(matrix, ["mrr", "a", "b", "c", "d"]) is matrix
