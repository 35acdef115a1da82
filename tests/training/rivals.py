"""Two random bundles and test rows on which one of them is right, for tests of comparing and promoting."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np

from tests.training.export.small_models import TRAINED_AT, make_matrix, make_trained
from training.evaluation.compare import open_bundle
from training.evaluation.held_out import test_rows as held_out_rows
from training.export.bundle import save_bundle
from training.labels import Labels


def _reported(models):
    """Return *models* whose report has figures of every horizon."""
    heads = {
        name: head | {"horizons": dict.fromkeys(("30d", "60d", "90d"), head["horizons"]["90d"])}
        for name, head in models.metrics["heads"].items()
    }
    return dataclasses.replace(models, metrics=models.metrics | {"heads": heads})


RIGHT, WRONG = _reported(make_trained(seed=3)), _reported(make_trained(seed=4))
"""Models; what happens to the rows follows the former."""

FIRST_TEST_DAY = RIGHT.window.test[0]
SMALL_LIMITS = {
    "samples": 40,
    "parity": {"min_rows": 1000},
    "speed": {"max_ratio": 100.0},
    "fairness": {
        "refused_by": {
            "selection": [],
            "equal_opportunity": [],
            "calibration": ["size", "tenure", "plan"],
        }
    },
}
"""Limits of the gates that fit these bundles, which are small; read over the shipped ones."""


def rows_recorded_by(models, *, rows=2400, seed=11, cutoff=FIRST_TEST_DAY):
    """Return test rows with the predictions of *models*, in which events come as `RIGHT` says."""
    rng = np.random.default_rng(seed)
    matrix = make_matrix(rng, rows, missing=0.05)
    event_days = {}
    for head in RIGHT.heads:
        happens = rng.random((rows, 3)) < head.hazards(matrix)
        event_days[head.name] = np.where(
            happens.any(axis=1), np.argmax(happens, axis=1) * 30.0 + 15.0, np.inf
        )
    labels = Labels(
        account_id=np.array([f"a{number // 2:05}" for number in range(rows)], dtype=object),
        cutoff=np.full(rows, np.datetime64(cutoff, "D")),
        event_days=event_days,
        observed_days={head: np.full(rows, 500.0) for head in event_days},
        horizons_days=(30, 60, 90),
        withheld_accounts=0,
    )
    return held_out_rows(
        labels,
        matrix,
        models.contract,
        models.encodings,
        {head.name: (head.horizons_days, head.probabilities(matrix)) for head in models.heads},
    )


def save(models, store):
    """Save a bundle and return its tag."""
    return save_bundle(models, trained_at=TRAINED_AT, store=store, parity_rows=1_000, code="1.0+test")


def opened(models, store):
    """Save a bundle and open it."""
    tag = save(models, store)
    name, _, version = tag.partition(":")
    return open_bundle(tag, store / name / version)


def tested_from(models, day: dt.date):
    """Return *models* as if their test had begun on *day*."""
    window = models.window.model_copy(update={"test": (day, day + dt.timedelta(days=30))})
    return dataclasses.replace(models, window=window)
