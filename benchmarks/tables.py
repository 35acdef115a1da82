"""A labelled table without a time axis, as every model of a cross-validation gets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.baselines import Column, Scaling

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Table:
    """n labelled rows.

    Attributes:
        matrix: Shape (n, f), float64; a category stands as its position in sorted order, as Keepgrow encodes it.
        columns: f columns; those with categories hold codes.
        label: Shape (n,), 0 or 1.
    """

    matrix: NDArray[np.float64]
    columns: tuple[Column, ...]
    label: NDArray[np.float64]

    @classmethod
    def of(cls, frame: pd.DataFrame, label: NDArray[np.float64], categorical: frozenset[str]) -> Table:
        """Encode *frame*; its columns *categorical* hold categories, all others numbers."""
        matrix = np.empty(frame.shape, dtype=np.float64)
        columns = []
        for position, name in enumerate(map(str, frame.columns)):
            if name in categorical:
                distinct, codes = np.unique(frame[name].astype(str), return_inverse=True)
                matrix[:, position] = codes
                columns.append(Column(name, len(distinct)))
            else:
                matrix[:, position] = frame[name].to_numpy(dtype=np.float64)
                columns.append(Column(name))
        return cls(matrix, tuple(columns), label)

    def rows(self, chosen: NDArray[np.intp]) -> Table:
        """Return the rows at the positions *chosen*."""
        return Table(self.matrix[chosen], self.columns, self.label[chosen])

    @property
    def categorical(self) -> list[int]:
        """Positions of the columns that hold categories."""
        return [position for position, column in enumerate(self.columns) if column.categories]

    def one_hot(self) -> NDArray[np.float64]:
        """Return the matrix with a column of zeros and ones for each category; numbers stay as they are."""
        blocks = [
            (self.matrix[:, [position]] == np.arange(column.categories)).astype(np.float64)
            if column.categories
            else self.matrix[:, [position]]
            for position, column in enumerate(self.columns)
        ]
        return np.hstack(blocks)

    def scaled(self, like: Table) -> NDArray[np.float64]:
        """Return inputs of a linear model, imputed, clipped and standardised by the rows of *like*."""
        return Scaling.learn(like.matrix, like.columns, range(len(like.columns))).apply(self.matrix)
