"""A small world of numbers with known hazards, for tests of training that need no tables."""

from __future__ import annotations

import datetime as dt

import numpy as np

from feature_repo.contract import ContractFeature, ContractView, FeatureContract
from serving.bundle.manifest import Encoding
from training.dataset import TrainingSet
from training.definitions import load_definitions
from training.labels import Labels
from training.splits import split_by_time

FIRST, LAST = dt.date(2024, 1, 1), dt.date(2025, 8, 31)
DEFINITIONS = load_definitions()
SPLIT = split_by_time(
    FIRST,
    LAST,
    DEFINITIONS.model_copy(update={"split": DEFINITIONS.split.model_copy(update={"cutoff_every_days": 30})}),
)
NAMES = ("risk", "need", "noise", "plan", "never_filled")


def contract(names=NAMES):
    """Return a contract of float features, and `plan`, a string."""
    return FeatureContract(
        project="toy",
        feature_service="toy_v1",
        join_key="account_id",
        views=(ContractView(name="numbers", limit_seconds=86_400),),
        features=tuple(
            ContractFeature(
                view="numbers",
                name=name,
                dtype="String" if name == "plan" else "Float64",
                role="model",
                description=f"{name}.",
                signal=name,
                text="",
                redis_field_hex=f"{number:08x}",
            )
            for number, name in enumerate(names)
        ),
    )


def hazards(matrix):
    """Return the true hazards of one month, of churn and of upsell, shape (n, 2)."""
    churn = -3.4 + 1.2 * matrix[:, 0]
    upsell = -3.2 + 1.5 * (matrix[:, 1] > 0.5)
    return 1 / (1 + np.exp(-np.column_stack([churn, upsell])))


def world(accounts=400, seed=3, leak=False, months_told=4):
    """Return a training set in which `risk` raises churn, `need` upsell, and the rest says nothing.

    Args:
        accounts: Accounts at each cutoff.
        seed: Seed.
        leak: Whether `noise` holds the time to churn.
        months_told: Months after a cutoff in which events happen.
    """
    rng = np.random.default_rng(seed)
    cutoffs = np.array(SPLIT.cutoffs, dtype="datetime64[D]")
    rows = accounts * len(cutoffs)
    matrix = np.column_stack(
        [
            rng.normal(size=rows),
            rng.normal(size=rows),
            rng.normal(size=rows),
            rng.integers(0, 3, rows),
            np.full(rows, np.nan),
        ]
    )
    matrix[rng.random(rows) < 0.05, 2] = np.nan
    months = rng.geometric(hazards(matrix).T).T
    event = 30.0 * (months - rng.random((rows, 2)))
    event[months > months_told] = np.inf
    if leak:
        matrix[:, 2] = np.where(np.isinf(event[:, 0]), 999.0, event[:, 0])
    moment = np.repeat(cutoffs, accounts)
    reach = (np.datetime64(SPLIT.test.known_by) - moment).astype(float)
    labels = Labels(
        account_id=np.array([f"a{number % accounts:04d}" for number in range(rows)], dtype=object),
        cutoff=moment,
        event_days={"churn": event[:, 0], "upsell": event[:, 1]},
        observed_days={"churn": reach - 30, "upsell": reach},
        horizons_days=DEFINITIONS.horizons_days,
        withheld_accounts=2,
    )
    return TrainingSet(
        labels=labels,
        matrix=matrix,
        encodings=(Encoding(feature="plan", categories=("a", "b", "c")),),
        contract=contract(),
        featureless_rows=0,
    )
