"""Tells accounts that are unlike the training data, from a range per feature that the manifest carries.

A row is unlike the training data when features with much of the models' weight lie outside what training saw. A missing
value is not out of range: `evidence` speaks of missing views.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """The region that training covered; f features.

    Attributes:
        low: Shape (f,), lower end of each feature's range.
        high: Shape (f,), upper end.
        weight: Shape (f,), share of the models' gain, summing to 1.
        limit: Rows whose weighted share outside is above it are unlike the training data.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    weight: NDArray[np.float64]
    limit: float

    def outside(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weight of the features that lie outside their range, shape (n,), 0 to 1.

        Args:
            matrix: Float64, shape (n, f); missing values as NaN.
        """
        outside: NDArray[np.float64] = ((matrix < self.low) | (matrix > self.high)).dot(self.weight)
        return outside

    def unlike(self, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which rows are unlike the training data, shape (n,)."""
        unlike: NDArray[np.bool_] = self.outside(matrix) > self.limit
        return unlike

    def to_dict(self) -> dict[str, Any]:
        """Return the value for the manifest; a range without an end has None there."""
        return {
            "low": [_finite(value) for value in self.low.tolist()],
            "high": [_finite(value) for value in self.high.tolist()],
            "weight": self.weight.tolist(),
            "limit": self.limit,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Support:
        """Return the value that `to_dict` gave.

        Raises:
            ValueError: The lists are not equally long.
        """
        if not len(found["low"]) == len(found["high"]) == len(found["weight"]):
            raise ValueError("support: low, high and weight should have one entry a feature each")
        return cls(
            low=np.array([-np.inf if value is None else value for value in found["low"]], dtype=np.float64),
            high=np.array([np.inf if value is None else value for value in found["high"]], dtype=np.float64),
            weight=np.array(found["weight"], dtype=np.float64),
            limit=float(found["limit"]),
        )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
