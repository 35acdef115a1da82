"""From typed feature columns to the float64 matrix that models read, and back to what serving must know.

A number stays itself, a bool is 0 or 1, a string is its index among the categories seen in training, anything missing
or unseen is NaN. Serving does the same from the manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from serving.bundle.manifest import Encoding
from training.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import ContractFeature


def learn_encodings(
    frame: pd.DataFrame, features: Sequence[ContractFeature], rows: NDArray[np.bool_]
) -> tuple[Encoding, ...]:
    """Return the categories of every string feature, sorted, seen in *rows* of *frame* (the training part)."""
    return tuple(
        Encoding(
            feature=feature.name,
            categories=tuple(
                sorted({str(value) for value in frame.loc[rows, feature.name].dropna().unique()})
            ),
        )
        for feature in features
        if feature.dtype == "String"
    )


def encode(
    frame: pd.DataFrame, features: Sequence[ContractFeature], encodings: Sequence[Encoding]
) -> NDArray[np.float64]:
    """Return the matrix of *features*, float64, shape (rows, features), missing as NaN.

    Args:
        frame: One column a feature; a column that is null throughout is kept, as NaN.
        features: The contract's model features in column order.
        encodings: Categories of every string feature.

    Raises:
        DatasetError: A column is missing, holds an infinite number, or can't be read as its dtype.
    """
    categories = {
        entry.feature: {value: float(code) for code, value in enumerate(entry.categories)}
        for entry in encodings
    }
    matrix = np.empty((len(frame), len(features)), dtype=np.float64)
    for position, feature in enumerate(features):
        if feature.name not in frame.columns:
            raise DatasetError(
                f"the feature {feature.view}:{feature.name} is in the contract but not in the data"
            )
        column = frame[feature.name]
        try:
            numbers = column.map(categories[feature.name]) if feature.dtype == "String" else column
            matrix[:, position] = pd.to_numeric(numbers, errors="raise").to_numpy(
                dtype=np.float64, na_value=np.nan
            )
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{feature.view}:{feature.name} should be {feature.dtype}: {error}") from error
        infinite = int(np.isinf(matrix[:, position]).sum())
        if infinite:
            raise DatasetError(
                f"{feature.view}:{feature.name} is infinite in {infinite} rows; it should be null there"
            )
    return matrix
