"""ChurnSim's rows become the raw tables that their meaning asks for."""

# ruff: noqa: S608 - the SQL is put together from constants of this module

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from feature_repo.errors import ImportSourceError
from feature_repo.importers.registry import run_import
from feature_repo.tables.check import check
from feature_repo.tables.dataset import load_dataset_info
from feature_repo.tables.files import literal
from feature_repo.tables.reading import connect, end_day, plan_order, scan
from serving.decisions.catalogue import load_catalogue
from tests.feature_repo.tables.folders import contents

if TYPE_CHECKING:
    from pathlib import Path

PLANS = ("starter", "basic", "standard", "advanced", "premier")


def write_source(folder: Path, periods: str, *, last_usage: str = "2022-07-20") -> Path:
    """Write a source of two accounts with the *periods* (SQL rows) and daily usage until *last_usage*."""
    folder.mkdir()
    con = duckdb.connect()

    def save(name: str, select: str) -> None:
        con.execute(f"COPY ({select}) TO {literal(str(folder / name))} (FORMAT parquet)")

    save(
        "accounts.parquet",
        "FROM (VALUES (0, 'web', TIMESTAMP '1990-01-01', 'VA'), (1, 'appstore1', NULL, NULL)) "
        "AS t(account_id, channel, date_of_birth, country)",
    )
    save(
        "subscriptions.parquet",
        "SELECT account_id, product, start_date::TIMESTAMP AS start_date, end_date::TIMESTAMP AS end_date, "
        "mrr::DOUBLE AS mrr, quantity::BIGINT AS quantity, 'users' AS units, months AS bill_period_months, "
        f"discount::DOUBLE AS discount FROM (VALUES {periods}) "
        "AS t(account_id, product, start_date, end_date, mrr, quantity, months, discount)",
    )
    days = f"generate_series(TIMESTAMP '2022-01-01', TIMESTAMP '{last_usage}', INTERVAL 1 DAY) AS d(date)"
    save("daily_active.parquet", f"SELECT 0 AS account_id, date, 7 AS events, 3 AS active_users FROM {days}")
    save(
        "daily_usage.parquet",
        f"SELECT 0 AS account_id, date, 'search' AS event_type, 7 AS event_count FROM {days}",
    )
    con.close()
    return folder


PERIODS = """
(0, 'basic_mthly', '2022-01-01', '2022-02-01', 200, 10, 1, 0.0),
(0, 'meetings', '2022-01-01', '2022-02-01', 300, 5000, 1, 0.0),
(0, 'basic_mthly', '2022-02-01', '2022-03-01', 100, 10, 1, 0.5),
(0, 'standard_mthly', '2022-03-01', '2022-04-01', 500, 25, 1, 0.0),
(0, 'starter_mthly', '2022-04-04', '2022-05-04', 100, 5, 1, 0.0),
(1, 'starter_mthly', '2022-02-01', '2022-03-01', 100, 5, 1, 0.0),
(1, 'starter_mthly', '2022-06-01', '2022-07-01', 100, 5, 1, 0.0),
(1, 'premier_annual', '2022-07-01', '2023-07-01', 1800, 100, 12, 0.0)
"""


def periods_of(folder: Path, account: str) -> list[dict[str, Any]]:
    """Return the subscription rows of *account* in time order."""
    con = connect(threads=1)
    table = scan(con, folder, "subscriptions")
    assert table is not None
    rows: list[dict[str, Any]] = table.order_by("started_at").to_pyarrow().to_pylist()
    con.disconnect()
    return [row for row in rows if row["account_id"] == account]


def test_end_reasons_follow_from_the_next_period(tmp_path: Path) -> None:
    """An equal plan renews, a higher one upgrades, a lower one downgrades, none within the grace leaves."""
    run_import("churnsim", write_source(tmp_path / "source", PERIODS), tmp_path / "out")
    assert [(r["plan"], r["end_reason"]) for r in periods_of(tmp_path / "out", "0")] == [
        ("basic", "renewal"),
        ("basic", "upgrade"),
        ("standard", "downgrade"),
        ("starter", "voluntary"),
    ]
    left, again, running = periods_of(tmp_path / "out", "1")
    assert (left["end_reason"], again["end_reason"]) == ("voluntary", "upgrade")
    assert (running["ended_at"], running["end_reason"]) == (None, None)
    assert running["term_end_at"] == dt.datetime(2023, 7, 1, tzinfo=dt.UTC)


def test_an_end_that_may_still_be_followed_has_no_reason(tmp_path: Path) -> None:
    """Within the grace period of the end of data nobody can know whether the account has left."""
    periods = PERIODS + ",(0, 'basic_mthly', '2022-05-15', '2022-06-15', 200, 10, 1, 0.0)"
    run_import("churnsim", write_source(tmp_path / "source", periods), tmp_path / "out")
    last = periods_of(tmp_path / "out", "0")[-1]
    assert last["ended_at"] == dt.datetime(2022, 6, 15, tzinfo=dt.UTC)
    assert last["end_reason"] is None


def test_a_discount_leaves_the_list_price_as_it_is(tmp_path: Path) -> None:
    """Mrr is net; the list price is what the product costs without a discount."""
    run_import("churnsim", write_source(tmp_path / "source", PERIODS), tmp_path / "out")
    rows = periods_of(tmp_path / "out", "0")
    assert [(r["mrr"], r["list_mrr"], r["discount_ratio"]) for r in rows[:2]] == [
        (200, 200, 0),
        (100, 200, 0.5),
    ]
    assert [(r["seats"], r["bill_period_months"]) for r in rows] == [(10, 1), (10, 1), (25, 1), (5, 1)]


def test_data_ends_with_the_last_start_of_a_period_and_later_usage_is_counted_out(tmp_path: Path) -> None:
    """Usage after the simulation's last day is left out, with its number of rows and the reason."""
    report = run_import("churnsim", write_source(tmp_path / "source", PERIODS), tmp_path / "out")
    assert load_dataset_info(tmp_path / "out").end_day == dt.date(2022, 7, 1)
    drops = {(drop.source, drop.rows) for drop in report.drops}
    assert drops == {("subscriptions.parquet", 1), ("daily_active.parquet", 19), ("daily_usage.parquet", 19)}
    assert any("meetings" in drop.reason for drop in report.drops)
    assert {t.table: t.rows for t in report.tables} == {
        "accounts": 2, "subscriptions": 7, "usage_daily": 2 * 182, "feature_usage": 182,
    }  # fmt: skip


def test_importing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Ids and order are made from the rows alone."""
    source = write_source(tmp_path / "source", PERIODS)
    run_import("churnsim", source, tmp_path / "one")
    run_import("churnsim", source, tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert {name: entry[1] for name, entry in one.items()} == {name: entry[1] for name, entry in two.items()}


def test_a_source_that_is_not_churnsim_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """Missing files, columns and plans are named; the destination does not appear."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImportSourceError, match=r"lacks accounts\.parquet"):
        run_import("churnsim", tmp_path / "empty", tmp_path / "out")
    source = write_source(tmp_path / "source", PERIODS)
    (source / "daily_active.parquet").write_bytes((source / "accounts.parquet").read_bytes())
    with pytest.raises(ImportSourceError, match="lacks the columns date, events, active_users"):
        run_import("churnsim", source, tmp_path / "out")
    (source / "daily_active.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(ImportSourceError, match="can't be read"):
        run_import("churnsim", source, tmp_path / "out")
    other = write_source(tmp_path / "other", "(0, 'gold', '2022-01-01', '2022-02-01', 1, 1, 1, 0.0)")
    with pytest.raises(ImportSourceError, match="no product"):
        run_import("churnsim", other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tables_that_would_break_the_contract_are_not_written(tmp_path: Path) -> None:
    """A source with an impossible value is refused with the check's own words."""
    bad = PERIODS.replace("'2022-04-01', 500, 25, 1, 0.0", "'2022-04-01', -500, 25, 1, 0.0")
    with pytest.raises(ImportSourceError, match=r"subscriptions\.mrr: The value must be at least 0"):
        run_import("churnsim", write_source(tmp_path / "source", bad), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.shared_data
def test_the_real_data_set_becomes_tables_that_pass_the_check(tmp_path: Path, shared_data: Path) -> None:
    """The published set: known counts, plans in order, no error, a catalogue that the service accepts."""
    report = run_import("churnsim", shared_data / "churnsim_crm5", tmp_path / "out")
    assert {t.table: t.rows for t in report.tables} == {
        "accounts": 1_099,
        "subscriptions": 9_534,
        "usage_daily": 706_198,
        "feature_usage": 1_070_760,
    }
    assert {drop.rows for drop in report.drops if "add-on" in drop.reason} == {9_534}
    assert check(tmp_path / "out").errors == ()
    con = connect()
    assert plan_order(con, tmp_path / "out") == PLANS
    assert end_day(con, tmp_path / "out") == dt.date(2024, 1, 1)
    subscriptions = scan(con, tmp_path / "out", "subscriptions")
    assert subscriptions is not None
    reasons = subscriptions.group_by("end_reason").agg(n=subscriptions.count()).to_pyarrow().to_pylist()
    assert {row["end_reason"]: row["n"] for row in reasons} == {
        "renewal": 7_878, "upgrade": 555, "downgrade": 2, "voluntary": 223, None: 876,
    }  # fmt: skip
    catalogue = load_catalogue(tmp_path / "out" / "catalogue.yaml")
    assert [(plan.key, plan.mrr_list) for plan in catalogue.plans] == [
        ("starter", 100), ("basic", 200), ("standard", 500), ("advanced", 1000), ("premier", 2000),
    ]  # fmt: skip
