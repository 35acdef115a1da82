"""One LightGBM booster: parameters that export exactly, rows of person-periods, early stopping.

No categorical splits, no linear trees, zeros are not missing: the ONNX graph then reproduces the booster bit for
bit. No resampling of events: that would break calibration.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

from training.departure_columns import subscribed_as_zero
from training.heads.calibration import calibrated_log_loss, fit_platt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from training.definitions import BoostingStage
    from training.heads.hazard import Platt

_ROUGHLY = 1e-4
"""Rounds are compared by losses that are right to some 1e-8; fitting each to the end took a quarter of training."""
_BINNING: dict[str, Any] = {
    "max_bin": 127,
    "min_data_in_bin": 5,
    "feature_pre_filter": False,
    "verbosity": -1,
}
_FIXED: dict[str, Any] = {
    **_BINNING,
    "objective": "binary",
    "metric": "None",
    "deterministic": True,
    "force_row_wise": True,
    "zero_as_missing": False,
    "use_missing": True,
    "linear_tree": False,
    "boost_from_average": True,
    "bagging_freq": 1,
}

_EACH_ROUND: ContextVar[Callable[[], None] | None] = ContextVar("each_round", default=None)


@contextlib.contextmanager
def asked_each_round(ask: Callable[[], None]) -> Iterator[None]:
    """Within this context, call *ask* after every round that validation watches; what it raises ends the boosting."""
    token = _EACH_ROUND.set(ask)
    try:
        yield
    finally:
        _EACH_ROUND.reset(token)


@dataclass(frozen=True, slots=True)
class PersonPeriods:
    """Rows for a booster: how often a feature row lived through an interval, and whether the event came.

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


@dataclass(frozen=True, slots=True)
class BoosterRows:
    """A feature matrix and the person-periods that a booster is fitted to or judged by."""

    matrix: NDArray[np.float64]
    periods: PersonPeriods
    feature_names: Sequence[str]

    def dataset(self, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        """Return a LightGBM data set, binned like *reference* where that is given."""
        return lgb.Dataset(
            subscribed_as_zero(self.matrix[self.periods.rows], self.feature_names),
            label=self.periods.event,
            weight=self.periods.weight,
            feature_name=list(self.feature_names),
            reference=reference,
            params=dict(_BINNING),
            free_raw_data=False,
        )

    def loss(self, booster: lgb.Booster) -> float:
        """Return the log loss of *booster* on these rows after calibration on them."""
        margin = np.asarray(booster.predict(self.matrix[self.periods.rows], raw_score=True), dtype=np.float64)
        return calibrated_log_loss(margin, self.periods.event, self.periods.weight)


def parameters(stage: BoostingStage, *, seed: int, num_threads: int) -> dict[str, Any]:
    """Return LightGBM parameters for *stage*."""
    chosen = stage.model_dump(exclude={"name", "max_rounds", "max_interval_rounds"})
    return {**_FIXED, **chosen, "seed": seed, "num_threads": num_threads}


def fit_with_early_stopping(
    train: BoosterRows,
    validation: BoosterRows,
    params: dict[str, Any],
    *,
    max_rounds: int,
    patience: int,
    base: lgb.Booster | None = None,
) -> lgb.Booster:
    """Return a booster of as many rounds as minimise the log loss on validation, calibration included.

    Raw log loss would stop a booster as soon as its margins grow too wide, though it still learns to rank; the
    calibration that follows mends the width.

    Args:
        train: What is fitted.
        validation: What stops it.
        params: From `parameters`.
        max_rounds: Most rounds to try.
        patience: Rounds without improvement after which fitting stops.
        base: Booster to go on from; its trees come first in the result, and it is returned as it is if no further
            round improves on it.
    """
    periods = validation.periods
    ask = _EACH_ROUND.get()
    latest: Platt | None = None

    def judge(margin: NDArray[np.float64], _: lgb.Dataset) -> tuple[str, float, bool]:
        nonlocal latest
        if ask is not None:
            ask()
        latest = fit_platt(margin, periods.event, periods.weight, near=latest, tolerance=_ROUGHLY)
        loss = calibrated_log_loss(margin, periods.event, periods.weight, latest)
        return "calibrated_log_loss", loss, False

    fit = train.dataset()
    booster = lgb.train(
        params,
        fit,
        num_boost_round=max_rounds,
        valid_sets=[validation.dataset(fit)],
        feval=judge,
        init_model=base,
        callbacks=[lgb.early_stopping(patience, verbose=False)],
    )
    best = frozen(booster, booster.best_iteration)
    return base if base is not None and validation.loss(base) <= validation.loss(best) else best


def fit_rounds(
    train: BoosterRows, params: dict[str, Any], rounds: int, base: lgb.Booster | None = None
) -> lgb.Booster:
    """Return a booster of *rounds* rounds after those of *base*; *base* itself if there are none."""
    if base is not None and not rounds:
        return base
    booster = lgb.train(params, train.dataset(), num_boost_round=rounds, init_model=base)
    return frozen(booster, booster.num_trees())


def frozen(booster: lgb.Booster, rounds: int) -> lgb.Booster:
    """Return a copy that holds only the first *rounds* rounds and no training data.

    LightGBM predicts and dumps up to `best_iteration` but counts all trees; a copy leaves no room for doubt.
    """
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=rounds))
