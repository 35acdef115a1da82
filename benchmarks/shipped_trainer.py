"""Keepgrow's own trainer on a table without a time axis: the functions that `keepgrow train` calls, with its defaults.

A head of one interval has one hazard, which is the probability itself. A fifth of the training rows, drawn at random
by class, stands in for the later cutoffs on which rounds and calibration are chosen; then the boosters are fitted once
more to all training rows, as shipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import train_test_split

from training.definitions import Definitions, load_definitions
from training.heads.train import HeadRows, TrainedHead, train_head
from training.labels import Intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.tables import Table

VALIDATION_SHARE = 0.2


def definitions() -> Definitions:
    """Return the shipped definitions with one horizon."""
    return load_definitions().model_copy(update={"horizons_days": (30,), "score_horizon_days": 30})


def head_rows(matrix: NDArray[np.float64], label: NDArray[np.float64]) -> HeadRows:
    """Return rows of one interval, all at risk and observed, whose event is *label*."""
    everyone = np.ones((len(label), 1), dtype=bool)
    return HeadRows(matrix, Intervals(at_risk=everyone, event=label[:, None] > 0, observed=everyone))


def fitted(
    train: Table, *, seed: int, chosen: Definitions | None = None
) -> tuple[TrainedHead, NDArray[np.intp]]:
    """Return Keepgrow's trainer fitted to *train*, and the rows of *train* on which it made its choices.

    Args:
        train: Training rows.
        seed: Seed of the validation draw and of LightGBM's sampling.
        chosen: Definitions instead of the shipped ones, for ablations.
    """
    fit, validation = train_test_split(
        np.arange(len(train.label)), test_size=VALIDATION_SHARE, random_state=seed, stratify=train.label
    )
    trained = train_head(
        "churn",
        head_rows(train.matrix[fit], train.label[fit]),
        head_rows(train.matrix[validation], train.label[validation]),
        head_rows(train.matrix, train.label),
        definitions=chosen or definitions(),
        feature_names=[f"f{position}" for position in range(len(train.columns))],
        seed=seed,
        num_threads=1,
        progress=lambda _: None,
    )
    return trained, validation


def shipped_trainer(
    train: Table, test: Table, *, seed: int, chosen: Definitions | None = None
) -> NDArray[np.float64]:
    """Return the probability of each row of *test* by Keepgrow's trainer fitted to *train*; see `fitted`."""
    trained, _ = fitted(train, seed=seed, chosen=chosen)
    return trained.head.probabilities(test.matrix)[:, 0]
