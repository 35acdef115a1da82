"""The training set: accounts at risk at each cutoff, their features as of that moment, their labels.

Features come from Feast's `get_historical_features`, the same road for everybody. An entity row is stamped with its
cutoff at 00:00 UTC; feature rows are stamped with the end of their day, so that the newest that can match is that of
the day before the cutoff, and nothing after the cutoff is seen.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from training.encoding import encode, learn_encodings
from training.errors import DatasetError
from training.heads.train import HeadRows
from training.identity import value_hash

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract
    from serving.bundle.manifest import Encoding
    from training.definitions import Definitions, HeadName
    from training.labels import Labels
    from training.splits import Part, Split

MAX_FEATURELESS_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class PartRows:
    """The rows of one part: matrix of shape (n, f), and the n labels as far as they were known."""

    matrix: NDArray[np.float64]
    labels: Labels

    def head_rows(self, head: HeadName) -> HeadRows:
        """Return the rows with the intervals of *head*."""
        return HeadRows(self.matrix, self.labels.intervals(head), self.labels.account_id)

    def outcome(
        self, head: HeadName, horizon_days: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.object_]]:
        """Return matrix, label and account of the rows whose label at this horizon is known."""
        label = self.labels.outcome(head, horizon_days)
        known = ~np.isnan(label)
        return self.matrix[known], label[known], self.labels.account_id[known]


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of every part of a split."""

    train: PartRows
    validation: PartRows
    test: PartRows
    refit: PartRows


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows of all parts, ordered by account and cutoff; n rows, f model features.

    Attributes:
        labels: Of the n rows.
        matrix: Shape (n, f), float64, columns in the order of `contract.model_features`.
        encodings: Categories of the string features, learnt on the training part.
        contract: What the columns are.
        featureless_rows: At-risk rows that were left out since no feature row matched them.
    """

    labels: Labels
    matrix: NDArray[np.float64]
    encodings: tuple[Encoding, ...]
    contract: FeatureContract
    featureless_rows: int

    def in_part(self, part: Part) -> NDArray[np.bool_]:
        """Return which of the n rows stand at a cutoff of *part*, shape (n,)."""
        return self.labels.at_cutoffs(part.cutoffs)

    def part(self, part: Part, definitions: Definitions) -> PartRows:
        """Return the rows of *part*, labelled as far as was known when the next part begins."""
        chosen = self.in_part(part)
        return PartRows(self.matrix[chosen], self.labels.select(chosen).known_by(part.known_by, definitions))

    def parts(self, split: Split, definitions: Definitions) -> Parts:
        """Return the rows of all parts of *split*."""
        return Parts(
            train=self.part(split.train, definitions),
            validation=self.part(split.validation, definitions),
            test=self.part(split.test, definitions),
            refit=self.part(split.refit, definitions),
        )

    @property
    def hash(self) -> str:
        """`sha256:` and a digest of all of it: accounts, cutoffs, labels, features, categories and contract."""
        return value_hash(self)


def historical_features(store: Any, labels: Labels, contract: FeatureContract) -> pd.DataFrame:  # noqa: ANN401 - Feast
    """Return the model features of every row of *labels*, in its order, from Feast's offline store.

    Args:
        store: A Feast store with the contract's feature service applied.
        labels: Accounts and cutoffs.
        contract: Names the service and its model features.

    Raises:
        DatasetError: Feast gives other rows than were asked for.
    """
    moments = labels.cutoff.astype("datetime64[ns]")
    entities = pd.DataFrame(
        {
            contract.join_key: labels.account_id.astype(str),
            "event_timestamp": pd.DatetimeIndex(moments).tz_localize("UTC"),
        }
    )
    service = store.get_feature_service(contract.feature_service)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = store.get_historical_features(entity_df=entities, features=service).to_df()
    found["event_timestamp"] = pd.to_datetime(found["event_timestamp"], utc=True)
    keys = [contract.join_key, "event_timestamp"]
    duplicates = int(found.duplicated(keys).sum())
    if duplicates or len(found) != len(entities):
        raise DatasetError(
            f"Feast gave {len(found)} rows ({duplicates} of them repeated) for {len(entities)} accounts and cutoffs; a "
            "view most likely has several rows of one account and day"
        )
    names = [feature.name for feature in contract.model_features]
    missing = [name for name in names if name not in found.columns]
    if missing:
        raise DatasetError(
            f"Feast did not give the features {', '.join(missing)}; apply the definitions again"
        )
    ordered: pd.DataFrame = found.set_index(keys)[names].reindex(pd.MultiIndex.from_frame(entities))
    return ordered.reset_index(drop=True)


def assemble(
    frame: pd.DataFrame, labels: Labels, contract: FeatureContract, train_cutoffs: Sequence[dt.date]
) -> TrainingSet:
    """Turn features and labels, row by row alike, into a training set.

    Rows without any feature are left out: their feature rows weren't built, and serving would not know the account.

    Args:
        frame: Model features, a row a label.
        labels: Of the same rows.
        contract: What the columns are.
        train_cutoffs: Cutoffs of the training part, on which categories are learnt.

    Raises:
        DatasetError: More than a fifth of the rows of some cutoff have no features, or a column is not of its type.
    """
    empty = frame.isna().all(axis=1).to_numpy(dtype=bool)
    _require_features(empty, labels)
    frame = frame.loc[~empty].reset_index(drop=True)
    labels = labels.select(~empty)
    encodings = learn_encodings(frame, contract.model_features, labels.at_cutoffs(train_cutoffs))
    return TrainingSet(
        labels=labels,
        matrix=encode(frame, contract.model_features, encodings),
        encodings=encodings,
        contract=contract,
        featureless_rows=int(empty.sum()),
    )


def _require_features(empty: NDArray[np.bool_], labels: Labels) -> None:
    for cutoff in np.unique(labels.cutoff):
        here = labels.cutoff == cutoff
        share = float(empty[here].mean())
        if share > MAX_FEATURELESS_SHARE:
            raise DatasetError(
                f"{int(empty[here].sum())} of {int(here.sum())} accounts at risk on {cutoff} have no feature row in "
                "the two days before; build the features for all days of the data first (`keepgrow features build`)"
            )
