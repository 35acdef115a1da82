"""Comparing two bundles on kept test rows, through a file and back."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tests.training import rivals
from training.errors import DatasetError, PromotionError
from training.evaluation.compare import compare_on, compare_reports, open_bundle
from training.evaluation.held_out import kept_file as rows_file
from training.evaluation.held_out import read_test_rows, write_test_rows
from training.evaluation.timing import time_graphs


def test_kept_rows_come_back_and_give_the_same_predictions(right_bundle, right_rows, tmp_path):
    """Written and read again, the rows give what was recorded, bit for bit where the graph is exact."""
    file = write_test_rows(right_rows, tmp_path / "models", "keepgrow:abc")
    assert file == rows_file(tmp_path / "models", "keepgrow:abc")
    assert file.parent.parent == tmp_path
    assert file.stat().st_mode & 0o077 == 0
    again = read_test_rows(tmp_path / "models", "keepgrow:abc")
    found = right_bundle.probabilities(again)
    for key, values in found.items():
        assert np.abs(values - right_rows[key].to_numpy()).max() < 1e-9
    assert read_test_rows(tmp_path / "models", "keepgrow:other") is None
    file.write_bytes(b"not parquet")
    with pytest.raises(PromotionError, match="abc"):
        read_test_rows(tmp_path / "models", "keepgrow:abc")


def test_the_better_bundle_is_found_better(right_bundle, wrong_bundle, right_rows):
    """The bundle that events follow has the higher AUC and the lower log loss, beyond noise."""
    found = compare_on(right_rows, right_bundle, wrong_bundle, "churn", 90, samples=60, seed=1)
    assert found.roc_auc.low > 0
    assert found.log_loss.high < 0
    assert found.rows == 2400
    assert found.note == ""


def test_rows_before_the_champions_own_test_are_left_out(right_bundle, wrong_bundle, right_rows):
    """A champion that was tested from a later day on is compared on the rows from that day on, and it is said."""
    later = rivals.rows_recorded_by(rivals.RIGHT, rows=600, cutoff=dt.date(2026, 4, 1))
    both = pd.concat([right_rows, later], ignore_index=True)
    window = wrong_bundle.manifest.window.model_copy(
        update={"test": (dt.date(2026, 4, 1), dt.date(2026, 5, 1))}
    )
    champion = dataclasses.replace(
        wrong_bundle, manifest=wrong_bundle.manifest.model_copy(update={"window": window})
    )
    found = compare_on(both, right_bundle, champion, "churn", 90, samples=40, seed=1)
    assert found.rows == 600
    assert "2026-04-01" in found.note


def test_reports_are_compared_where_rows_are_not(right_bundle, wrong_bundle):
    """Equal reports differ by nothing, with an interval around it; an unknown horizon is an error."""
    found = compare_reports(right_bundle.manifest, wrong_bundle.manifest, "churn", 90)
    assert found.roc_auc.value == 0
    assert found.roc_auc.low < 0 < found.roc_auc.high
    with pytest.raises(PromotionError, match="365"):
        compare_reports(right_bundle.manifest, wrong_bundle.manifest, "churn", 365)


def test_rows_that_lack_a_feature_are_refused(right_bundle, right_rows):
    """A bundle can't be run on rows without one of its features; the message names it."""
    with pytest.raises(DatasetError, match="mrr"):
        right_bundle.probabilities(right_rows.drop(columns="feature:mrr"))


def test_a_damaged_bundle_is_refused(tmp_path):
    """No manifest, no bundle."""
    with pytest.raises(PromotionError, match="keepgrow:gone"):
        open_bundle("keepgrow:gone", tmp_path)


def test_both_graphs_are_timed_in_turns(right_bundle, wrong_bundle):
    """By a clock that ticks once a reading, both take as long; the fastest call of each counts."""
    ticks = iter(np.arange(2000) ** 1.0)
    timing = time_graphs(right_bundle, wrong_bundle, lambda: float(next(ticks)))
    assert timing.ratio == 1.0
    assert timing.candidate_us == timing.champion_us == 1e6
    assert time_graphs(right_bundle, None, lambda: 0.0).ratio is None
