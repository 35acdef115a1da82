"""The readers of the cross-sectional data sets, and the metric of the cross-sell task."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import coil, telco
from benchmarks.shared_data import MissingDataError, shared


def test_a_data_set_that_is_absent_is_named(monkeypatch, tmp_path):
    """The error says which file is missing and which setting names the folder."""
    monkeypatch.setenv("KEEPGROW_SHARED_DATA", str(tmp_path))
    with pytest.raises(MissingDataError, match=r"telco.*KEEPGROW_SHARED_DATA"):
        shared("telco", "Telco-Customer-Churn.csv")


def test_lift_counts_the_best_fifth():
    """A perfect ranking of 5 owners in 100 has five times their share in the best fifth; the reverse has none."""
    label = np.r_[np.ones(5), np.zeros(95)]
    assert coil.lift(label, -np.arange(100.0), None)[0] == pytest.approx(5)
    assert coil.lift(label, np.arange(100.0), None)[0] == 0


@pytest.mark.shared_data
def test_telco_is_read_whole(shared_data):
    """7,043 customers, 1,869 of whom left; blank totals are missing; the label is no feature."""
    table = telco.read_table(shared_data / "telco" / "Telco-Customer-Churn.csv")
    assert table.matrix.shape == (7043, 19)
    assert table.label.sum() == 1869
    assert np.isnan(table.matrix).sum() == 11
    assert len(table.categorical) == 15
    assert not {"Churn", "customerID"} & {column.name for column in table.columns}


@pytest.mark.shared_data
def test_coil_is_read_whole(shared_data):
    """5,822 customers with 85 features, 348 of them owners; customer types are categories."""
    table = coil.read_table(shared_data / "coil2000" / "ticdata2000.txt")
    assert table.matrix.shape == (5822, 85)
    assert table.label.sum() == 348
    assert [table.columns[position].categories for position in table.categorical] == [40, 10]
