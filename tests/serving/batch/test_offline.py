"""The newest features of every account as of a day, out of Parquet files, and `keepgrow score` on them."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import redis

from serving.batch.feature_table import (
    FeatureTableError,
    feature_rows,
    feature_table_schema,
    time_column,
)
from serving.batch.offline import OfflineFeatures
from serving.batch.score_table import score_table
from serving.batch.trend import change_of, churn_probabilities
from serving.configured import fitting_policy
from serving.decisions.catalogue import load_catalogue
from serving.earlier_scores import PREFIX, EarlierScores
from serving.features.client import make_link
from serving.scoring.engine import score_rows
from serving.scoring.trend import EarlierScore
from tests.serving.world import END, make_features

if TYPE_CHECKING:
    from pathlib import Path

    from feature_repo.contract import FeatureContract
    from tests.serving.conftest import World

DAY = dt.timedelta(days=1)


def write_features(folder: Path, contract: FeatureContract, days: int = 3, count: int = 40) -> None:
    """Write *days* days of features up to `END`; the first account has no rows on the last two days."""
    for back in range(days):
        features = make_features(contract, count, seed=100 + back)
        stamp = END - back * DAY
        day = (stamp - DAY).strftime("%Y-%m")
        for view in contract.views:
            names = [feature.name for feature in contract.features if feature.view == view.name]
            rows = features.num_rows
            columns = {
                "account_id": features.column("account_id"),
                "event_timestamp": pa.array([stamp] * rows, pa.timestamp("us", tz="UTC")),
                "created": pa.array([stamp] * rows, pa.timestamp("us", tz="UTC")),
                **{name: features.column(name) for name in names},
            }
            table = pa.table(columns)
            path = folder / view.name / f"{day}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            if back < 2:
                table = table.slice(1)
            if path.exists():
                table = pa.concat_tables([pq.read_table(path), table])
            pq.write_table(table, path)


def read_all(source: OfflineFeatures, tmp_path: Path, rows: int = 7) -> tuple[pa.Table, list[int], int]:
    """Return all accounts of *source* as one table, and the sizes of its batches."""
    con = source.connect(tmp_path / "spill")
    batches = list(source.batches(con, rows))
    count = source.count(con)
    con.close()
    return pa.Table.from_batches(batches), [batch.num_rows for batch in batches], count


def test_the_newest_row_of_each_view_is_read_and_nothing_after_the_day(world: World, tmp_path: Path) -> None:
    """Accounts get their own newest row; rows stamped after the time are not seen; batches are bounded."""
    write_features(tmp_path / "features", world.contract)
    source = OfflineFeatures(tmp_path / "features", world.contract, END, 14 * DAY)
    table, sizes, count = read_all(source, tmp_path)
    assert table.schema == feature_table_schema(world.contract)
    assert max(sizes) <= 7
    assert table.num_rows == count == 40
    by_account = {row["account_id"]: row for row in table.to_pylist()}
    newest = {row["account_id"]: row for row in make_features(world.contract, 40, seed=100).to_pylist()}
    oldest = {row["account_id"]: row for row in make_features(world.contract, 40, seed=102).to_pylist()}
    for account_id, row in by_account.items():
        expected = oldest[account_id] if account_id == "Acme" else newest[account_id]
        stamp = END - 2 * DAY if account_id == "Acme" else END
        for feature in world.contract.features:
            assert row[feature.name] == expected[feature.name]
        assert {row[time_column(view.name)] for view in world.contract.views} == {stamp}
    earlier = OfflineFeatures(tmp_path / "features", world.contract, END - DAY, 14 * DAY)
    stamps = read_all(earlier, tmp_path)[0].column(time_column("usage")).to_pylist()
    assert set(stamps) == {END - DAY, END - 2 * DAY}
    recent = OfflineFeatures(tmp_path / "features", world.contract, END, DAY)
    assert read_all(recent, tmp_path)[2] == 39


def test_accounts_that_are_too_old_are_counted_as_left_out(world: World, tmp_path: Path) -> None:
    """An account whose newest rows lie before the look-back is no silent gap."""
    write_features(tmp_path / "features", world.contract)
    for look_back, expected in ((DAY, 1), (14 * DAY, 0)):
        source = OfflineFeatures(tmp_path / "features", world.contract, END, look_back)
        con = source.connect(tmp_path / "spill")
        assert source.left_out(con) == expected
        con.close()


def test_missing_files_and_missing_features_are_named(world: World, tmp_path: Path) -> None:
    """A view without files, or without a feature that the model reads, is refused with its folder."""
    source = OfflineFeatures(tmp_path / "nothing", world.contract, END, 14 * DAY)
    with pytest.raises(FeatureTableError, match="nothing/usage"):
        source.connect(tmp_path / "spill")
    write_features(tmp_path / "features", world.contract, days=1)
    path = next((tmp_path / "features" / "usage").glob("*.parquet"))
    pq.write_table(pq.read_table(path).drop_columns(["logins_28d"]), path)
    source = OfflineFeatures(tmp_path / "features", world.contract, END, 14 * DAY)
    with pytest.raises(FeatureTableError, match="lacks logins_28d"):
        source.connect(tmp_path / "spill")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FeatureTableError, match="can't be read"):
        source.connect(tmp_path / "spill")


def keepgrow_score(world: World, tmp_path: Path, *extra: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of `keepgrow score` on this world."""
    command = [
        sys.executable, "-m", "keepgrow", "score", "--as-of", (END - DAY).strftime("%Y-%m-%d"),
        "--model", world.tag,
        "--features", str(tmp_path / "features"), "--out", str(tmp_path / "scores"), *extra,
    ]  # fmt: skip
    return command, {**os.environ, "BENTOML_HOME": str(world.home), "KEEPGROW_CATALOGUE": ""}


def test_the_command_writes_all_accounts_and_says_how_many(world: World, tmp_path: Path) -> None:
    """The output is one row an account, as the pure function gives it, with a summary."""
    write_features(tmp_path / "features", world.contract)
    command, env = keepgrow_score(world, tmp_path, "--batch-rows", "9")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "40 accounts" in done.stdout
    rows = {row["account_id"]: row for row in ds.dataset(tmp_path / "scores").to_table().to_pylist()}
    assert len(rows) == 40
    assert json.loads((tmp_path / "scores" / "_summary.json").read_text())["accounts"] == 40
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    source = OfflineFeatures(tmp_path / "features", world.contract, END, 14 * DAY)
    table, _, _ = read_all(source, tmp_path, rows=100)
    catalogue = load_catalogue()
    policy = fitting_policy(None, catalogue, world.bundle)
    expected = score_table(table.to_batches()[0], world.bundle, catalogue, policy, END)
    assert {row["account_id"]: row for row in expected.to_pylist()} == rows
    assert rows["Acme"]["evidence"] == "full"
    assert rows["Acme"]["account_id"] != "acme"
    again = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert again.returncode == 2
    assert "already there" in again.stderr
    forced = subprocess.run(
        [*command, "--force"], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert forced.returncode == 0, forced.stderr


async def on_record(world: World, account_ids: list[str]) -> dict[str, EarlierScore | None]:
    """Return the earlier scores that the store holds of accounts, and remove them."""
    store = EarlierScores(make_link(world.redis_url))
    try:
        return {name: await store.of(name, 5.0) for name in account_ids}
    finally:
        await store.close()
        with redis.Redis.from_url(world.redis_url) as client:
            client.delete(*(PREFIX + name.encode() for name in account_ids))


def test_the_trend_is_the_change_since_the_features_of_thirty_days_earlier(
    world: World, tmp_path: Path
) -> None:
    """Each account's change is now's probability less what the same model says of its older row, else null.

    What it was then is brought to the online store as well.
    """
    folder = tmp_path / "features"
    write_features(folder, world.contract, days=45)
    command, env = keepgrow_score(world, tmp_path, "--trend", "--push-trend")
    env |= {"REDIS_URL": world.redis_url}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = {row["account_id"]: row for row in ds.dataset(tmp_path / "scores").to_table().to_pylist()}
    source = OfflineFeatures(folder, world.contract, END - 30 * DAY, 14 * DAY)
    table, _, _ = read_all(source, tmp_path, rows=100)
    before = churn_probabilities(table.to_batches(), world.bundle)
    scored = score_rows(
        feature_rows(table.to_batches()[0], world.bundle.manifest), world.bundle, END - 30 * DAY
    )
    assert before == {one.account_id: one.churn_probability["90d"] for one in scored}
    for account_id, row in rows.items():
        change = row["churn_risk_change_30d"]
        assert change == pytest.approx(row["churn_probability_90d"] - before[account_id], abs=1e-9)
    assert len({row["churn_risk_change_30d"] for row in rows.values()}) > 10
    brought = asyncio.run(on_record(world, list(before)))
    assert brought == {name: EarlierScore(END - 30 * DAY, p, world.tag) for name, p in before.items()}
    (known, *_), bundle = scored, world.bundle
    assert change_of(known, bundle.manifest.score_horizon, {}) is None


def test_an_interrupted_run_leaves_what_was_there(world: World, tmp_path: Path) -> None:
    """Ctrl-C in the middle ends with 130, no output, and nothing half-made beside it."""
    write_features(tmp_path / "features", world.contract, count=6000)
    command, env = keepgrow_score(world, tmp_path, "--batch-rows", "1")
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".scores.partial-*/part-*")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert not (tmp_path / "scores").exists()
    assert list(tmp_path.glob(".scores.partial-*")) == []
