"""Slices: every kind of account is shown with its own figures, small ones too."""

from __future__ import annotations

import json

import numpy as np
import pytest

from serving.bundle.manifest import Encoding
from tests.training.export.small_models import make_contract, make_matrix
from training.evaluation import metrics
from training.evaluation.slices import JudgedRows, slice_columns, slice_report, slices_of
from training.limits import load_limits

CONTRACT = make_contract()
PLANS = (Encoding(feature="plan", categories=("basic", "pro", "team")),)
NAMES = [feature.name for feature in CONTRACT.model_features]


def judged(rows=1200, seed=1, **columns):
    """Return rows whose events follow their probabilities."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 4, rows)
    return JudgedRows(
        account_id=np.array([f"a{number // 2}" for number in range(rows)], dtype=object),
        label=(rng.random(rows) < probability).astype(float),
        probability=probability,
        threshold=0.3,
        columns={name: np.asarray(values, dtype=object) for name, values in columns.items()},
    )


def test_rows_fall_into_slices_by_what_their_features_say():
    """Plans by name, seats where nobody tells employees, age where nobody tells tenure; a missing one is unknown."""
    matrix = make_matrix(np.random.default_rng(0), 4, missing=0.0)
    matrix[:, NAMES.index("plan")] = [0, 2, np.nan, 1]
    matrix[:, NAMES.index("seats")] = [9, 10, 250, np.nan]
    matrix[:, NAMES.index("account_age_days")] = [89, 90, 365, 730]
    found = slice_columns(matrix, CONTRACT, PLANS)
    assert list(found) == ["plan", "size", "tenure"]
    assert found["plan"].tolist() == ["basic", "team", "unknown", "pro"]
    assert found["size"].tolist() == ["under 10 seats", "10 to 49 seats", "250 seats or more", "unknown"]
    assert found["tenure"].tolist() == [
        "under 90 days",
        "90 to 364 days",
        "365 to 729 days",
        "730 days or more",
    ]


def test_rare_values_are_put_together_but_none_is_lost():
    """Beyond the limit values become one slice, and the slices of a column hold every row once."""
    values = np.array([f"r{number % 9}" for number in range(100)] + ["r0"] * 50, dtype=object)
    slices = slices_of({"region": values}, most=4)
    assert [one.name for one in slices] == ["r0", "r1", "r2", "other (6)"]
    assert np.array_equal(np.sum([one.mask for one in slices], axis=0), np.ones(150))


def test_a_slice_has_the_figures_of_its_own_rows():
    """AUC, event ratio, selection rate and recall are those of the slice alone, inside their intervals."""
    rows = judged(plan=np.where(np.arange(1200) % 3, "basic", "pro"))
    report = slice_report(rows, load_limits().slices, samples=60, seed=1)
    json.dumps(report, allow_nan=False)
    pro = next(one for one in report["columns"]["plan"] if one["slice"] == "pro")
    mask = rows.columns["plan"] == "pro"
    label, probability = rows.label[mask], rows.probability[mask]
    assert pro["rows"] == 400
    assert not pro["small"]
    assert pro["roc_auc"]["value"] == pytest.approx(float(metrics.roc_auc(label, probability)[0]), abs=1e-6)
    assert pro["observed_to_expected"]["value"] == pytest.approx(label.sum() / probability.sum(), abs=1e-6)
    assert pro["selection_rate"]["value"] == pytest.approx((probability >= 0.3).mean(), abs=1e-6)
    for figure in (
        "roc_auc",
        "average_precision",
        "brier",
        "observed_to_expected",
        "selection_rate",
        "recall",
    ):
        assert pro[figure]["low"] <= pro[figure]["value"] <= pro[figure]["high"]
    assert report["overall"]["rows"] == 1200


def test_a_small_slice_is_shown_and_flagged():
    """Five rows without an event are in the report, flagged, with no AUC."""
    plans = np.array(["basic"] * 1195 + ["rare"] * 5)
    rows = judged(plan=plans)
    rows.label[-5:] = 0
    rare = slice_report(rows, load_limits().slices, samples=40, seed=1)["columns"]["plan"][-1]
    assert (rare["slice"], rare["small"], rare["events"]) == ("rare", True, 0)
    assert rare["roc_auc"] == {"value": None, "low": None, "high": None}
