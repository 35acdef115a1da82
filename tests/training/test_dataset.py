"""The training set: Feast's features against a join written independently, and what is refused."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pytest

from feature_repo.contract_compiler import compile_contract
from feature_repo.pipeline.views import VIEWS
from feature_repo.services import SERVICE_NAME
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import apply, open_store
from tests.feature_repo.feast.random_features import write_features
from tests.training import toy
from tests.training.periods import Period, subscriptions
from training.dataset import assemble, historical_features
from training.errors import DatasetError
from training.labels import label_accounts

if TYPE_CHECKING:
    from pathlib import Path

END = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ACCOUNTS = [*(f"acme-{number:03d}" for number in range(40)), "Acme-001", "Zürich 🦊", "'; DROP"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store over random features of the twelve days before 2026-03-01, and labels around them."""
    folder = tmp_path_factory.mktemp("offline")
    features = folder / "features"
    write_features(features, ACCOUNTS, days=12, end=END)
    store = open_store(FeatureRepoSettings(features_dir=features, registry=str(folder / "registry.db")))
    apply(store, features)
    labels = label_accounts(
        subscriptions(*(Period("2025-01-01", account=account) for account in ACCOUNTS)),
        [
            dt.date(2026, 2, 10),
            dt.date(2026, 2, 20),
            dt.date(2026, 3, 1),
            dt.date(2026, 3, 4),
            dt.date(2026, 3, 20),
        ],
        end_day=dt.date(2026, 12, 31),
        plan_order=(),
        definitions=toy.DEFINITIONS,
    )
    return store, compile_contract(store, SERVICE_NAME), labels, features


def join_by_hand(features: Path, labels) -> pd.DataFrame:
    """Return the same features by an ASOF join in DuckDB, with the age limit of each view."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    asked = pd.DataFrame(
        {"account_id": labels.account_id.astype(str), "t": labels.cutoff.astype("datetime64[us]")}
    )
    asked["row"] = np.arange(len(asked))
    con.register("asked", asked)
    parts = []
    for spec in VIEWS:
        names = [feature.name for feature in spec.features if feature.role == "model"]
        if not names:
            continue
        kept = ", ".join(f'CASE WHEN fresh THEN "{name}" END AS "{name}"' for name in names)
        found = con.execute(
            f"""WITH joined AS (
                  SELECT asked.row, f.*,
                         f.event_timestamp >= asked.t::TIMESTAMPTZ - INTERVAL {spec.freshness_days} DAY AS fresh
                  FROM asked ASOF LEFT JOIN '{features / spec.name}/*.parquet' f
                  ON asked.account_id = f.account_id AND asked.t::TIMESTAMPTZ >= f.event_timestamp)
                SELECT {kept} FROM joined ORDER BY row"""  # noqa: S608 - names and paths of this test
        ).df()
        parts.append(found)
    return pd.concat(parts, axis=1)


def test_features_equal_an_independent_point_in_time_join(place):
    """Every value of every model feature is that of the newest row up to the cutoff within the view's age limit."""
    store, contract, labels, features = place
    ours = historical_features(store, labels, contract)
    theirs = join_by_hand(features, labels)
    assert list(ours.columns) == [feature.name for feature in contract.model_features]
    some = 0
    for name in ours.columns:
        one = ours[name].astype(object).where(ours[name].notna(), None).tolist()
        other = theirs[name].astype(object).where(theirs[name].notna(), None).tolist()
        assert [str(value) for value in map(plain, one)] == [str(value) for value in map(plain, other)], name
        some += sum(value is not None for value in one)
    assert some > 1000


def plain(value: object) -> object:
    """Return numbers and bools as float, everything else as it is."""
    return float(value) if isinstance(value, (bool, int, float, np.number, np.bool_)) else value


def test_nothing_at_or_after_the_day_of_the_cutoff_is_seen(place, tmp_path):
    """Rows stamped after the cutoff may say anything: features at earlier cutoffs stay."""
    store, contract, labels, _ = place
    early = labels.select(labels.cutoff <= np.datetime64("2026-02-20"))
    before = historical_features(store, early, contract)
    altered = tmp_path / "features"
    write_features(altered, ACCOUNTS, days=12, end=END)
    for later in altered.glob("*/*.parquet"):
        rows = pd.read_parquet(later)
        rows = rows[rows["event_timestamp"] <= pd.Timestamp("2026-02-20", tz="UTC")]
        con = duckdb.connect()
        con.register("rows", rows)
        con.execute("SET TimeZone = 'UTC'")
        utc = "SELECT * REPLACE (event_timestamp::TIMESTAMPTZ AS event_timestamp) FROM rows"
        con.execute(f"COPY ({utc}) TO '{later}'")
    cut = open_store(FeatureRepoSettings(features_dir=altered, registry=str(tmp_path / "registry.db")))
    apply(cut, altered)
    after = historical_features(cut, early, contract)
    pd.testing.assert_frame_equal(before.astype(object), after.astype(object), check_dtype=False)


def test_rows_come_in_the_order_of_the_labels(place):
    """Shuffled labels give equally shuffled features."""
    store, contract, labels, _ = place
    order = np.random.default_rng(1).permutation(len(labels))
    straight = historical_features(store, labels, contract).iloc[order].reset_index(drop=True)
    shuffled = historical_features(store, labels.select(order), contract)
    pd.testing.assert_frame_equal(straight.astype(object), shuffled.astype(object), check_dtype=False)


def test_duplicate_feature_rows_are_refused(place, tmp_path):
    """Two rows of one account and day with the same provenance time would multiply training rows, or be dropped."""
    _, contract, labels, _ = place
    twice = tmp_path / "features"
    write_features(twice, ACCOUNTS, days=2, end=END)
    source = next((twice / "usage").glob("*.parquet"))
    (twice / "usage" / "copy.parquet").write_bytes(source.read_bytes())
    store = open_store(FeatureRepoSettings(features_dir=twice, registry=str(tmp_path / "registry.db")))
    apply(store, twice)
    day = labels.select(labels.cutoff == np.datetime64("2026-03-01"))
    found = historical_features(store, day, contract)
    assert len(found) == len(day)


def test_rows_without_features_are_left_out_and_counted():
    """A few at-risk accounts without any feature row don't spoil training."""
    rows = toy.world(accounts=20)
    frame = pd.DataFrame(rows.matrix, columns=list(toy.NAMES)).astype({"plan": object})
    frame["plan"] = frame["plan"].map({0.0: "a", 1.0: "b", 2.0: "c"})
    frame.loc[[0, 25], :] = None
    found = assemble(frame, rows.labels, rows.contract, toy.SPLIT.train.cutoffs)
    assert found.featureless_rows == 2
    assert len(found.labels) == len(found.matrix) == len(rows.labels) - 2
    assert found.encodings == rows.encodings


def test_a_cutoff_without_built_features_is_refused_by_its_date():
    """Features that were not built for a cutoff are an error that names it, not a column of nothing."""
    rows = toy.world(accounts=20)
    frame = pd.DataFrame(rows.matrix, columns=list(toy.NAMES)).astype(object)
    cutoff = toy.SPLIT.validation.cutoffs[0]
    frame.loc[rows.labels.cutoff == np.datetime64(cutoff)] = None
    with pytest.raises(DatasetError, match=f"20 of 20 accounts at risk on {cutoff}"):
        assemble(frame, rows.labels, rows.contract, toy.SPLIT.train.cutoffs)


def test_the_hash_follows_every_value():
    """Equal data has an equal hash; one feature or one label more and it differs."""
    rows, same = toy.world(accounts=20), toy.world(accounts=20)
    assert rows.hash == same.hash
    same.matrix[3, 0] += 1e-12
    assert rows.hash != same.hash
    other = toy.world(accounts=20)
    other.labels.event_days["upsell"][0] = 1.0
    assert rows.hash != other.hash
