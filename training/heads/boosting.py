"""One LightGBM booster: parameters that export exactly, rows of person-periods, early stopping.

No categorical splits, no linear trees, zeros are not missing: the ONNX graph then reproduces the booster bit for bit. No
resampling of events: that would break calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.definitions import BoosterConfiguration

_FIXED: dict[str, Any] = {
    "objective": "binary",
    "metric": "binary_logloss",
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "zero_as_missing": False,
    "use_missing": True,
    "linear_tree": False,
    "boost_from_average": True,
    "bagging_freq": 1,
    "max_bin": 127,
    "min_data_in_bin": 5,
}


@dataclass(frozen=True, slots=True)
class PersonPeriods:
    """Rows for a booster: each says how often a feature row lived through an interval, and whether the event came.

    Attributes:
        rows: Shape (m,), positions in the feature matrix.
        event: Shape (m,), 0 or 1.
        weight: Shape (m,), number of intervals that the row stands for.
    """

    rows: NDArray[np.intp]
    event: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(
        cls, at_risk: NDArray[np.bool_], event: NDArray[np.bool_], observed: NDArray[np.bool_]
    ) -> PersonPeriods:
        """Collect the intervals of n rows and k intervals (arrays of shape (n, k)) into at most two rows each."""
        known = at_risk & observed
        survived = (known & ~event).sum(axis=1).astype(np.float64)
        happened = (known & event).sum(axis=1).astype(np.float64)
        lived, hit = np.flatnonzero(survived), np.flatnonzero(happened)
        return cls(
            rows=np.concatenate([lived, hit]),
            event=np.concatenate([np.zeros(len(lived)), np.ones(len(hit))]),
            weight=np.concatenate([survived[lived], happened[hit]]),
        )

    @property
    def events(self) -> int:
        """Number of events."""
        return int(self.event.sum())


def parameters(configuration: BoosterConfiguration, *, seed: int, num_threads: int) -> dict[str, Any]:
    """Return LightGBM parameters for *configuration*."""
    chosen = configuration.model_dump(exclude={"name"})
    return {**_FIXED, **chosen, "seed": seed, "num_threads": num_threads}


def dataset(
    matrix: NDArray[np.float64],
    periods: PersonPeriods,
    feature_names: Sequence[str],
    *,
    reference: lgb.Dataset | None = None,
) -> lgb.Dataset:
    """Return a binned LightGBM data set of *periods*; bin edges come from *reference* where it is given."""
    data = lgb.Dataset(
        matrix[periods.rows],
        label=periods.event,
        weight=periods.weight,
        feature_name=list(feature_names),
        reference=reference,
        params={
            name: _FIXED[name] for name in ("max_bin", "min_data_in_bin", "feature_pre_filter", "verbosity")
        },
        free_raw_data=True,
    )
    return data.construct()


def fit_with_early_stopping(
    train: lgb.Dataset,
    validation: lgb.Dataset,
    params: dict[str, Any],
    *,
    max_rounds: int,
    patience: int,
) -> lgb.Booster:
    """Return a booster that holds exactly the rounds at which validation log loss was least."""
    booster = lgb.train(
        params,
        train,
        num_boost_round=max_rounds,
        valid_sets=[validation],
        callbacks=[lgb.early_stopping(patience, verbose=False)],
    )
    return frozen(booster, booster.best_iteration)


def fit_rounds(train: lgb.Dataset, params: dict[str, Any], rounds: int) -> lgb.Booster:
    """Return a booster of *rounds* rounds."""
    return frozen(lgb.train(params, train, num_boost_round=rounds), rounds)


def frozen(booster: lgb.Booster, rounds: int) -> lgb.Booster:
    """Return a copy that holds only the first *rounds* rounds and no training data.

    LightGBM predicts and dumps up to `best_iteration` but counts all trees; a copy leaves no room for doubt.
    """
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=rounds))
