"""Training sets whose truth is known: events follow one feature, as strongly as asked, or leave no trace."""

from __future__ import annotations

import datetime as dt

import numpy as np

from serving.bundle.manifest import Encoding
from tests.training.export.small_models import make_contract, make_matrix
from training.dataset import TrainingSet
from training.definitions import HEADS, HeadName, load_definitions
from training.labels import Labels
from training.splits import Part, Split

DEFINITIONS = load_definitions()
HORIZONS = np.array(DEFINITIONS.horizons_days, dtype=np.float64)
CONTRACT = make_contract()
NAMES = [feature.name for feature in CONTRACT.model_features]
SIGNAL = {"churn": NAMES.index("logins_28d_ratio"), "upsell": NAMES.index("seats")}
"""The column that each head's events follow."""

_FIRST = dt.date(2024, 1, 1)
_DAYS = {"train": (0, 30), "validation": (180,), "test": (360,)}


def _day(number: int) -> dt.date:
    return _FIRST + dt.timedelta(days=number)


SPLIT = Split(
    train=Part((_day(0), _day(30)), _day(180)),
    validation=Part((_day(180),), _day(360)),
    test=Part((_day(360),), _day(540)),
    refit=Part((_day(0), _day(30), _day(180)), _day(360)),
    embargo_days=120,
)


def hazards(matrix: np.ndarray, head: HeadName, *, strength: float, base: float) -> np.ndarray:
    """Return the true hazards of *head* in each interval, shape (n, k); they rise with the head's own column."""
    column = matrix[:, SIGNAL[head]]
    typical = np.log(column) / 0.5 if head == "churn" else (column - 40) / 23
    margin = base + strength * np.nan_to_num(typical)
    return np.repeat((1 / (1 + np.exp(-margin)))[:, None], len(HORIZONS), axis=1)


def planted(
    seed: int, *, accounts: int = 1_000, strength: float = 2.0, base: float = -3.0, leak: bool = False
) -> TrainingSet:
    """Return a training set for `SPLIT` in which each account stands at each cutoff.

    Args:
        seed: Seed of rows and events.
        accounts: Accounts at each cutoff.
        strength: By how much a standard deviation of the head's column raises the log-odds; 0 plants nothing.
        base: Log-odds of the event in an interval for a typical account.
        leak: Put the days to churn into `mrr`.
    """
    rng = np.random.default_rng(seed)
    cutoffs = [_day(number) for numbers in _DAYS.values() for number in numbers]
    rows = accounts * len(cutoffs)
    matrix = make_matrix(rng, rows, missing=0.05)
    event_days = {}
    for head in HEADS:
        happens = rng.random((rows, len(HORIZONS))) < hazards(matrix, head, strength=strength, base=base)
        first = np.argmax(happens, axis=1)
        starts = np.concatenate([[0.0], HORIZONS[:-1]])
        within = starts[first] + (HORIZONS - starts)[first] * rng.uniform(0.01, 1.0, rows)
        event_days[head] = np.where(happens.any(axis=1), within, np.inf)
    if leak:
        matrix[:, NAMES.index("mrr")] = np.minimum(event_days["churn"], 1_000.0)
    return TrainingSet(
        labels=Labels(
            account_id=np.repeat([f"a{number:05}" for number in range(accounts)], len(cutoffs)).astype(
                object
            ),
            cutoff=np.tile(np.array(cutoffs, dtype="datetime64[D]"), accounts),
            event_days=event_days,
            observed_days={head: np.full(rows, 500.0) for head in HEADS},
            horizons_days=DEFINITIONS.horizons_days,
            withheld_accounts=0,
        ),
        matrix=matrix,
        encodings=(Encoding(feature="plan", categories=("basic", "pro", "team")),),
        contract=CONTRACT,
        featureless_rows=0,
    )
