"""The truth of a synthetic world is read after training, from its own folder, for the days that it is known at."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tests.training.export.small_models import make_trained
from training.errors import DatasetError
from training.evaluation.baselines import Column
from training.evaluation.segments import MRR_FEATURE
from training.evaluation.truth_rows import TruthPart, _expected, _rows, judge_against_truth, read_truth
from training.labels import Labels

if TYPE_CHECKING:
    from pathlib import Path


def write_truth(folder: Path, month_ends: list[str]) -> None:
    """Write true probabilities of two accounts at *month_ends*, in two files and with columns that are not needed."""
    (folder / "hazards").mkdir(parents=True)
    for number, account in enumerate(("a", "b")):
        table = pd.DataFrame(
            {
                "account_id": account,
                "as_of": pd.to_datetime(month_ends, utc=True),
                "churn_hazard": 0.01,
                "churn_probability_30d": 0.1 + number / 10,
                "churn_probability_90d": 0.3 + number / 10,
            }
        )
        table.to_parquet(folder / "hazards" / f"part-{number}.parquet")


def test_the_truth_is_read_by_account_and_day(tmp_path: Path) -> None:
    """All files are read, days carry no zone, and only identifiers and probabilities remain."""
    write_truth(tmp_path, ["2026-01-01", "2026-02-01"])
    found = read_truth(tmp_path)
    assert list(found.columns) == ["account_id", "day", "churn_probability_30d", "churn_probability_90d"]
    assert found["day"].to_numpy().dtype == np.dtype("datetime64[s]")
    assert len(found) == 4
    chosen = found[(found["account_id"] == "b") & (found["day"] == np.datetime64("2026-02-01"))]
    assert chosen["churn_probability_30d"].tolist() == [0.2]


def test_data_without_a_truth_is_refused_with_what_has_one(tmp_path: Path) -> None:
    """The message names the folder that was looked at, and the command that makes a truth."""
    with pytest.raises(DatasetError, match=r"hazards: there are no Parquet files.*keepgrow synth"):
        read_truth(tmp_path)


def test_a_truth_of_other_days_is_left_out(tmp_path: Path) -> None:
    """Without a month end in the validation part whose labels are known nothing is compared, and the reason is told."""
    write_truth(tmp_path, ["2020-01-01", "2026-07-31"])
    found = judge_against_truth(tmp_path, None, make_trained(), tmp_path)
    assert list(found) == ["left_out"]
    assert "no month end from 2025-10-01 on whose labels are known by" in found["left_out"]


def part() -> TruthPart:
    """Return three rows: one that left, one whose 90 days have not passed, one that stayed; MRR is the last feature."""
    labels = Labels(
        account_id=np.array(["a", "b", "c"], dtype=object),
        cutoff=np.full(3, np.datetime64(dt.date(2026, 1, 1), "D")),
        event_days={"churn": np.array([10.0, np.inf, np.inf])},
        observed_days={"churn": np.array([200.0, 40.0, 200.0])},
        horizons_days=(30, 90),
        withheld_accounts=0,
    )
    truth = pd.DataFrame({"churn_probability_90d": [0.4, 0.2, 0.1]})
    return TruthPart(labels, np.array([[1.0, 50.0], [2.0, 60.0], [3.0, 70.0]]), truth)


COLUMNS = [Column("seats"), Column(MRR_FEATURE)]


def test_rows_whose_label_is_not_known_are_left_out() -> None:
    """Label, truth, our probability and MRR of the remaining rows stay together."""
    rows = _rows(part(), "churn", 90, np.array([0.5, 0.6, 0.7]), COLUMNS)
    assert rows.account_id.tolist() == ["a", "c"]
    assert rows.label.tolist() == [1.0, 0.0]
    assert rows.truth.tolist() == [0.4, 0.1]
    assert rows.ours.tolist() == [0.5, 0.7]
    assert rows.mrr is not None
    assert rows.mrr.tolist() == [50.0, 70.0]


def test_where_no_label_is_known_each_row_counts_by_its_true_probability() -> None:
    """All rows are there, and events are as many as the truth expects; data without MRR has none."""
    rows = _expected(part(), "churn", 90, [Column("seats"), Column("users")])
    assert rows.label.tolist() == rows.truth.tolist() == [0.4, 0.2, 0.1]
    assert rows.mrr is None
