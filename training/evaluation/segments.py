"""Which segment each row belongs to, and what its MRR is, read off the feature matrix.

Segments are the categories of the first feature of a list of preferences that divides accounts at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.bundle.manifest import Encoding
    from training.evaluation.baselines import Column

MRR_FEATURE = "mrr"
_LEAST_SEGMENTS = 2


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A feature whose categories are segments.

    Attributes:
        feature: Its name.
        position: Its column in the matrix.
        names: Its categories; the matrix holds positions in them.
    """

    feature: str
    position: int
    names: tuple[str, ...]

    @classmethod
    def choose(
        cls, columns: Sequence[Column], encodings: Sequence[Encoding], preferred: Sequence[str]
    ) -> Segmentation | None:
        """Return the first feature of *preferred* with two or more categories, or None if there is none."""
        positions = {column.name: position for position, column in enumerate(columns)}
        categories = {encoding.feature: encoding.categories for encoding in encodings}
        for feature in preferred:
            names = categories.get(feature, ())
            if feature in positions and len(names) >= _LEAST_SEGMENTS:
                return cls(feature, positions[feature], tuple(names))
        return None

    def codes(self, matrix: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the position in `names` of each row's segment, shape (n,); -1 where it is not known."""
        values = matrix[:, self.position]
        return np.where(np.isnan(values), -1, np.nan_to_num(values)).astype(np.intp)


def mrr_of(matrix: NDArray[np.float64], columns: Sequence[Column]) -> NDArray[np.float64] | None:
    """Return each row's MRR, shape (n,), 0 where it is unknown; None if no row has any or there is no such feature."""
    position = next((index for index, column in enumerate(columns) if column.name == MRR_FEATURE), None)
    if position is None:
        return None
    values = np.nan_to_num(matrix[:, position])
    return values if values.any() else None
