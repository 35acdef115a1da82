"""Logged treatments: what is read, what is left out and why, and features as of the draw."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.contract_compiler import compile_contract
from feature_repo.services import SERVICE_NAME
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import apply, open_store
from tests.feature_repo.feast.random_features import write_features
from tests.training.uplift_world import draws
from training.dataset import historical_features
from training.errors import DatasetError
from training.labels import Labels
from training.treatments import (
    LoggedTreatments,
    from_frame,
    historical_treatment_features,
    read_treatments,
    trial,
)

END = dt.date(2026, 3, 1)


def row(**changes):
    """Return a row of the table `treatments`, treated on 2025-11-01 with its outcome known 90 days later."""
    usual = {
        "treatment_id": "t1",
        "account_id": "acme",
        "treated_at": "2025-11-01T12:00:00Z",
        "action": "call",
        "arm": "treated",
        "propensity": 0.3,
        "outcome_at": "2026-01-31T00:00:00Z",
        "outcome_retained": True,
        "outcome_expanded": False,
    }
    return usual | changes


def read(*rows, refused=()):
    """Return draws and what was left out of *rows*."""
    frame = pd.DataFrame(list(rows)).astype({"outcome_retained": "boolean", "outcome_expanded": "boolean"})
    for name in ("treated_at", "outcome_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return from_frame(frame, set(refused), outcome_days=90, known_by=END)


def test_the_propensity_of_the_drawn_arm_becomes_the_chance_of_each_arm():
    """A held-out row with propensity 0.8 was held out with chance 0.8, so its action had 0.2; others had none."""
    found, _ = read(row(), row(treatment_id="t2", arm="held_out", propensity=0.8, action="offer"))
    assert found.actions == ("call", "offer")
    assert found.arm.tolist() == [1, 0]
    assert np.allclose(found.propensities, [[0.7, 0.3, 0.0], [0.8, 0.0, 0.2]])
    assert found.comparable(1).tolist() == [1]
    assert np.allclose(found.chance(0), [0.3, 0.0])


def test_an_open_window_is_left_out_whatever_came_of_it():
    """An account that has left early in an open window does not count, since those that stayed could not count yet."""
    left = row(treated_at="2026-01-15T12:00:00Z", outcome_at="2026-02-01T00:00:00Z", outcome_retained=False)
    found, left_out = read(row(), left)
    assert len(found) == 1
    assert left_out.open == 1


def test_within_a_passed_window_an_early_outcome_counts_only_if_it_is_final():
    """Leaving is final; that an account was still there after ten days does not say that it stayed for ninety."""
    early = {"outcome_at": "2025-11-11T00:00:00Z"}
    found, left_out = read(
        row(**early, outcome_retained=False),
        row(treatment_id="t2", **early),
        row(treatment_id="t3", arm="held_out", outcome_at=None, outcome_retained=None, outcome_expanded=None),
    )
    assert found.outcomes["retained"].tolist() == [0.0]
    assert np.isnan(found.outcomes["expanded"]).all()
    assert left_out.lost == {"treated": 1, "held_out": 1}


def test_certain_draws_and_withheld_accounts_are_left_out_and_counted():
    """A draw that could not have gone the other way teaches nothing, and consent is respected."""
    found, left_out = read(
        row(),
        row(treatment_id="t2", propensity=1.0),
        row(treatment_id="t3", account_id="private"),
        refused=["private"],
    )
    assert len(found) == 1
    assert (left_out.deterministic, left_out.withheld) == (1, 1)


def test_propensities_must_be_chances():
    """A drawn arm without a propensity, or rows that don't sum to 1, are refused."""
    with pytest.raises(DatasetError, match="sum to 1"):
        trial(["a"], ["call"], np.array([1]), np.array([[1.0, 0.0]]), {})
    with pytest.raises(DatasetError, match="shape"):
        trial(["a"], ["call"], np.array([1]), np.array([[1.0]]), {})


def test_a_folder_is_read_in_the_order_of_time(tmp_path):
    """Rows come from the raw tables in time order; without the table there is nothing, and consent is read."""
    accounts = {"account_id": ["acme", "private"], "created_at": [dt.datetime(2025, 1, 1, tzinfo=dt.UTC)] * 2,
                "consent_training": [True, False]}  # fmt: skip
    pq.write_table(pa.table(accounts), tmp_path / "accounts.parquet")
    (tmp_path / "dataset.yaml").write_text("end_day: 2026-02-28\n")
    assert read_treatments(tmp_path) is None
    rows = [row(treatment_id="t2", treated_at="2025-11-02T00:00:00Z", action="offer"), row(),
            row(treatment_id="t3", account_id="private")]  # fmt: skip
    frame = pd.DataFrame(rows)
    for name in ("treated_at", "outcome_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    frame.to_parquet(tmp_path / "treatments.parquet")
    found, left_out = read_treatments(tmp_path)
    assert [found.actions[arm - 1] for arm in found.arm] == ["call", "offer"]
    assert left_out.withheld == 1


def test_features_are_those_of_the_day_before_the_draw(tmp_path):
    """Each draw has the features that training would have at 00:00 of its day, also twice on one day."""
    end = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    write_features(tmp_path / "features", ["acme", "bolt"], days=12, end=end)
    settings = FeatureRepoSettings(features_dir=tmp_path / "features", registry=str(tmp_path / "registry.db"))
    store = open_store(settings)
    apply(store, tmp_path / "features")
    contract = compile_contract(store, SERVICE_NAME)
    moments = ["2026-02-20T09:00", "2026-02-20T18:00", "2026-02-25T00:00"]
    logged = LoggedTreatments(
        account_id=np.array(["acme", "acme", "bolt"], dtype=object),
        treated_at=np.array(moments, dtype="datetime64[us]"),
        actions=("call",),
        arm=np.array([0, 1, 1]),
        propensities=np.full((3, 2), 0.5),
        outcomes={},
    )
    found = historical_treatment_features(store, logged, contract)
    days = np.array(["2026-02-20", "2026-02-25"], dtype="datetime64[D]")
    labels = Labels(np.array(["acme", "bolt"], dtype=object), days, {}, {}, (), 0)
    pd.testing.assert_frame_equal(
        found, historical_features(store, labels, contract).iloc[[0, 0, 1]].reset_index(drop=True)
    )
    assert found.notna().any(axis=None)


def test_known_by_asks_only_for_time():
    """A draw is known once its window has passed, whatever its outcome."""
    logged, *_ = draws(200)
    moment = logged.treated_at[100] + np.timedelta64(30, "D")
    assert logged.known_by(moment).sum() == 101


def read_left(*rows, left):
    """Return draws of *rows*, of which those whose flag in *left* is true are of accounts that had left."""
    frame = pd.DataFrame(list(rows)).astype({"outcome_retained": "boolean", "outcome_expanded": "boolean"})
    for name in ("treated_at", "outcome_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return from_frame(frame, set(), outcome_days=90, known_by=END, left=np.array(left))


def test_draws_of_accounts_that_had_left_teach_coming_back_and_nothing_else():
    """`outcome_retained` of a leaver is whether it came back; it is no example of staying, nor of not expanding."""
    found, left_out = read_left(
        row(),
        row(treatment_id="t2", account_id="gone", action="win_back", outcome_retained=False),
        left=[False, True],
    )
    assert np.array_equal(found.outcomes["retained"], [1.0, np.nan], equal_nan=True)
    assert np.array_equal(found.outcomes["expanded"], [0.0, np.nan], equal_nan=True)
    assert np.array_equal(found.outcomes["returned"], [np.nan, 0.0], equal_nan=True)
    assert left_out.lost == {"treated": 0, "held_out": 0}
    returned, at = found.about("returned")
    assert (returned.actions, returned.account_id.tolist(), at.tolist()) == (("win_back",), ["gone"], [1])
    assert returned.propensities.tolist() == [[0.7, 0.3]]
    retained, at = found.about("retained")
    assert (retained.actions, retained.arm.tolist(), at.tolist()) == (("call",), [1], [0])
    assert set(retained.outcomes) == {"retained"}


def test_of_a_leaver_coming_back_is_final_and_staying_away_is_not():
    """Written down after ten days a return counts, and that it had not come back by then says nothing of the rest."""
    early = {"outcome_at": "2025-11-11T00:00:00Z"}
    found, left_out = read_left(
        row(**early), row(treatment_id="t2", **early, outcome_retained=False), left=[True, True]
    )
    assert found.outcomes["returned"].tolist() == [1.0]
    assert left_out.lost == {"treated": 1, "held_out": 0}


def test_without_leavers_there_is_no_such_outcome_and_every_draw_teaches_the_others():
    """A folder of subscribers alone is read as ever."""
    rows = (row(), row(treatment_id="t2", action="offer"))
    found, _ = read_left(*rows, left=[False, False])
    assert set(found.outcomes) == {"retained", "expanded"}
    about, at = found.about("retained")
    assert (about.actions, at.tolist()) == (("call", "offer"), [0, 1])
