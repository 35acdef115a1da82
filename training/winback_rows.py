"""The rows that win-back is learnt from: accounts that had left at a cutoff, their features then, when they came back.

They are rows of their own: accounts at risk of leaving have a subscription, these have none. Features come by the same
road, and strings are encoded with the categories that the training set learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.dataset import PartRows, historical_features
from training.encoding import encode
from training.labels_winback import WINBACK, read_departed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.dataset import TrainingSet
    from training.definitions import Definitions
    from training.heads.train import HeadRows
    from training.labels import Labels
    from training.splits import Part


@dataclass(frozen=True, slots=True)
class WinbackRows:
    """Rows of accounts that had left, n of them, ordered by account and cutoff.

    Attributes:
        labels: With the head `winback` alone.
        matrix: Shape (n, f), columns as those of the training set.
        featureless_rows: Accounts and cutoffs that were left out since no feature row matched them.
    """

    labels: Labels
    matrix: NDArray[np.float64]
    featureless_rows: int

    def part(self, part: Part, definitions: Definitions) -> WinbackRows:
        """Return the rows at the cutoffs of *part*, labelled as far as was known when the next part begins."""
        chosen = self.labels.at_cutoffs(part.cutoffs)
        labels = self.labels.select(chosen).known_by(part.known_by, definitions)
        return WinbackRows(labels, self.matrix[chosen], self.featureless_rows)

    def part_rows(self, unread: Sequence[int] = ()) -> PartRows:
        """Return the rows as those of a part, for a head that does not read the columns *unread*: they are 0 there."""
        matrix = self.matrix
        if len(unread):
            matrix = matrix.copy()
            matrix[:, list(unread)] = 0.0
        return PartRows(matrix, self.labels)

    def head_rows(self, unread: Sequence[int] = ()) -> HeadRows:
        """Return `part_rows` as a head is trained on them."""
        return self.part_rows(unread).head_rows(WINBACK)

    @property
    def returns(self) -> int:
        """How many returns the labels tell of; one that several cutoffs look forward to counts once."""
        labels, back = self.labels, self.labels.happened(WINBACK)
        since = labels.cutoff[back].astype("datetime64[D]").astype(np.float64)
        moments = since + labels.event_days[WINBACK][back]
        return len(set(zip(labels.account_id[back].tolist(), moments.tolist(), strict=True)))


def read_winback_rows(
    data: Path,
    store: Any,  # noqa: ANN401 - Feast brings no types
    rows: TrainingSet,
    definitions: Definitions,
) -> WinbackRows:
    """Read the accounts that had left at the cutoffs of *rows*, with features as of then.

    Args:
        data: A data folder.
        store: A Feast store with features built for it.
        rows: The training set, which has cutoffs, contract and categories.
        definitions: Horizons, and who has left.

    Raises:
        DatasetError: Features and labels can't be joined.
        DataFolderError: A raw table can't be read.
    """
    labels = read_departed(data, np.unique(rows.labels.cutoff).astype("datetime64[D]").tolist(), definitions)
    columns = rows.contract.model_features
    if not len(labels):
        return WinbackRows(labels, np.zeros((0, len(columns))), 0)
    frame = historical_features(store, labels, rows.contract)
    empty = frame.isna().all(axis=1).to_numpy(dtype=bool)
    return WinbackRows(
        labels=labels.select(~empty),
        matrix=encode(frame.loc[~empty].reset_index(drop=True), columns, rows.encodings),
        featureless_rows=int(empty.sum()),
    )
