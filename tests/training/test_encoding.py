"""Typed feature columns to the float64 matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from feature_repo.contract import ContractFeature
from training.encoding import encode, learn_encodings
from training.errors import DatasetError


def feature(name, dtype):
    """Return a contract feature."""
    return ContractFeature(
        view="v",
        name=name,
        dtype=dtype,
        role="model",
        description="",
        signal="",
        text="",
        redis_field_hex="00",
    )


FEATURES = (
    feature("amount", "Float64"),
    feature("count", "Int64"),
    feature("on", "Bool"),
    feature("plan", "String"),
)


def frame(**columns):
    """Return three rows of all features."""
    content = {
        "amount": [1.5, None, -2.0],
        "count": pd.array([3, None, 2], dtype="Int64"),
        "on": [True, None, False],
        "plan": ["pro", None, "basic"],
    }
    return pd.DataFrame(content | columns)


def test_every_type_becomes_a_number_and_missing_becomes_nan():
    """Numbers stay, bools are 0 and 1, strings are positions among sorted categories, null is NaN."""
    data = frame()
    encodings = learn_encodings(data, FEATURES, np.array([True, True, True]))
    assert encodings[0].categories == ("basic", "pro")
    nan = np.nan
    expected = [[1.5, 3, 1, 1], [nan, nan, nan, nan], [-2, 2, 0, 0]]
    matrix = encode(data, FEATURES, encodings)
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, expected)


def test_categories_are_learnt_on_the_given_rows_only():
    """A string that the training part lacks is NaN, as it will be in serving."""
    data = frame()
    encodings = learn_encodings(data, FEATURES, np.array([True, True, False]))
    assert encodings[0].categories == ("pro",)
    assert encode(data, FEATURES, encodings)[:, 3].tolist()[0] == 0
    assert np.isnan(encode(data, FEATURES, encodings)[2, 3])


@pytest.mark.parametrize("dtype", [object, "float64", "Int64", "boolean", "string"])
def test_a_column_that_is_null_throughout_is_kept_as_nan(dtype):
    """A feature whose table is absent keeps its place, whatever type its nulls came in."""
    for name in ("amount", "count", "on", "plan"):
        data = frame(**{name: pd.Series([None] * 3, dtype=dtype)})
        matrix = encode(data, FEATURES, learn_encodings(data, FEATURES, np.ones(3, dtype=bool)))
        column = [one.name for one in FEATURES].index(name)
        assert np.isnan(matrix[:, column]).all()
        assert matrix.shape == (3, 4)


def test_what_cannot_be_a_number_is_named():
    """A missing column, text in a number, and an infinite number are errors that name the feature."""
    encodings = learn_encodings(frame(), FEATURES, np.ones(3, dtype=bool))
    with pytest.raises(DatasetError, match="v:amount is in the contract"):
        encode(frame().drop(columns="amount"), FEATURES, encodings)
    with pytest.raises(DatasetError, match="v:amount should be Float64"):
        encode(frame(amount=["12", "x", None]), FEATURES, encodings)
    with pytest.raises(DatasetError, match="v:amount is infinite in 1 rows"):
        encode(frame(amount=[1.0, np.inf, 2.0]), FEATURES, encodings)
