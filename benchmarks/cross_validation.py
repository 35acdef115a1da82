"""Repeated stratified cross-validation of several models on the same folds, with paired intervals.

A figure is the mean over folds and repeats of a metric on held-out rows. Its interval resamples the rows, fitted models
kept, with the same resamples for every model; how much another draw of folds would move it shows in the spread over
repeats.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import StratifiedKFold

from training.evaluation.bootstrap import AccountBootstrap, Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.tables import Table

    Model = Callable[[Table, Table, int], NDArray[np.float64]]
    Metric = Callable[
        [NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None], NDArray[np.float64]
    ]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of n rows, each by models that did not see it; r repeats.

    Attributes:
        label: Shape (n,), 0 or 1.
        fold: Shape (r, n): the fold in which a row was held out.
        scores: Per model, shape (r, n).
    """

    label: NDArray[np.float64]
    fold: NDArray[np.intp]
    scores: Mapping[str, NDArray[np.float64]]

    def figure(
        self, model: str, metric: Metric, weight: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the mean of *metric* over folds and repeats, shape (b,), for row weights of shape (b, n)."""
        weights = np.ones((1, len(self.label))) if weight is None else weight
        values = [
            metric(self.label[held], scores[held], weights[:, held])
            for folds, scores in zip(self.fold, self.scores[model], strict=True)
            for held in (np.flatnonzero(folds == fold) for fold in np.unique(folds))
        ]
        return np.asarray(np.mean(values, axis=0), dtype=np.float64)

    def estimate(self, model: str, metric: Metric, *, samples: int, seed: int) -> Estimate:
        """Return the figure of *model* with its 95 % interval."""
        return self._bootstrap(samples, seed).estimate(lambda weight: self.figure(model, metric, weight))

    def gain(self, model: str, over: str, metric: Metric, *, samples: int, seed: int) -> Estimate:
        """Return the figure of *model* minus that of *over*, on the same resamples."""
        return self._bootstrap(samples, seed).estimate(
            lambda weight: self.figure(model, metric, weight) - self.figure(over, metric, weight)
        )

    def spread(self, model: str, metric: Metric) -> tuple[float, float]:
        """Return the smallest and the largest figure of *model* over the repeats."""
        values = [
            float(
                HeldOut(self.label, self.fold[[row]], {model: self.scores[model][[row]]}).figure(
                    model, metric
                )[0]
            )
            for row in range(len(self.fold))
        ]
        return min(values), max(values)

    def _bootstrap(self, samples: int, seed: int) -> AccountBootstrap:
        rows = np.arange(len(self.label)).astype(object)
        return AccountBootstrap(rows, samples=samples, seed=seed)


def stratified_folds(label: NDArray[np.float64], *, folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row, shape (n,), shuffled, with the same share of events in each."""
    fold = np.empty(len(label), dtype=np.intp)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for number, (_, held) in enumerate(splitter.split(label, label)):
        fold[held] = number
    return fold


def cross_validate(
    table: Table, models: Mapping[str, Model], *, folds: int, seeds: Sequence[int], workers: int | None = None
) -> HeldOut:
    """Score every row by every model that was fitted without it, once a seed.

    Args:
        table: All rows.
        models: Functions of training rows, rows to score and seed; they must be picklable.
        folds: Number of folds.
        seeds: One repeat each: of the folds and of the models.
        workers: Processes; all cores if None.
    """
    fold = np.stack([stratified_folds(table.label, folds=folds, seed=seed) for seed in seeds])
    scores = {name: np.full((len(seeds), len(table.label)), np.nan) for name in models}
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        waiting = [
            (name, repeat, number, pool.submit(_held_out_scores, model, table, fold[repeat] == number, seed))
            for repeat, seed in enumerate(seeds)
            for number in range(folds)
            for name, model in models.items()
        ]
        for name, repeat, number, task in waiting:
            scores[name][repeat, fold[repeat] == number] = task.result()
    return HeldOut(table.label, fold, scores)


def _held_out_scores(model: Model, table: Table, held: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    return model(table.rows(np.flatnonzero(~held)), table.rows(np.flatnonzero(held)), seed)
