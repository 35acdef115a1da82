"""Tables are found in each of their forms and come in the contract's types, in UTC."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import duckdb
import pytest

from feature_repo.errors import DataFolderError
from feature_repo.tables.reading import connect, end_day, plan_order, scan, table_files
from feature_repo.tables.registry import TABLES, table
from tests.feature_repo.tables.folders import good, write_csv, write_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ibis.backends.duckdb import Backend


ARROW = {"timestamp[us, UTC]": "timestamp[us, tz=UTC]", "date32": "date32[day]"}


@pytest.fixture
def con() -> Iterator[Backend]:
    """A session as the product opens it."""
    backend = connect(memory_limit_gb=1, threads=1)
    yield backend
    backend.disconnect()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_both_forms_of_a_table_give_the_same_rows_and_types(tmp_path: Path, con: Backend, form: str) -> None:
    """A table does not depend on how it is stored; every column of the contract is there, in its order."""
    folder = write_folder(tmp_path, good(), form=form)
    for name in good():
        result = scan(con, folder, name).to_pyarrow()
        assert [(f.name, str(f.type)) for f in result.schema] == [
            (c.name, ARROW.get(c.kind.value, c.kind.value))
            for c in table(name).columns
        ]  # fmt: skip
        assert result.num_rows == len(good()[name])
    rows = scan(con, folder, "accounts").order_by("account_id").to_pyarrow().to_pylist()
    assert rows[0]["created_at"] == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert rows[0]["consent_email"] is None


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path, con: Backend) -> None:
    """Parts are read together, also when a later part has a column more."""
    write_folder(tmp_path / "one", {"accounts": good()["accounts"]}, form="parquet")
    later = [{"account_id": "c", "created_at": "2024-02-01", "region": "EU"}]
    write_folder(tmp_path / "two", {"accounts": later}, form="parquet")
    parts = tmp_path / "data" / "accounts"
    parts.mkdir(parents=True)
    (tmp_path / "one" / "accounts.parquet").rename(parts / "1.parquet")
    (tmp_path / "two" / "accounts.parquet").rename(parts / "2.parquet")
    (parts / "_SUCCESS").touch()
    assert table_files(tmp_path / "data", "accounts") == (parts / "1.parquet", parts / "2.parquet")
    rows = scan(con, tmp_path / "data", "accounts").order_by("account_id").to_pyarrow().to_pylist()
    assert [(r["account_id"], r["region"]) for r in rows] == [("a", None), ("b", None), ("c", "EU")]


def test_an_absent_table_is_none(tmp_path: Path, con: Backend) -> None:
    """Absence is a value, not an error; a folder that is absent is an error."""
    assert table_files(tmp_path, "invoices") == ()
    assert scan(con, tmp_path, "invoices") is None
    with pytest.raises(DataFolderError, match="no such folder"):
        table_files(tmp_path / "nowhere", "invoices")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-01-01T02:00:00+02:00", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        ("2024-01-01 02:00:00.25", dt.datetime(2024, 1, 1, 2, 0, 0, 250_000, tzinfo=dt.UTC)),
        ("2024-07-01 02:00:00 Europe/Berlin", dt.datetime(2024, 7, 1, tzinfo=dt.UTC)),
        ("2024-01-01T00:00:00Z", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        ("2024-01-01", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_times_with_a_zone_are_converted_and_others_are_utc(
    tmp_path: Path, con: Backend, text: str, utc: dt.datetime
) -> None:
    """A clock in another time zone is understood when it says so."""
    folder = write_folder(tmp_path, {"accounts": [{"account_id": "a", "created_at": text}]})
    assert scan(con, folder, "accounts").to_pyarrow()["created_at"][0].as_py() == utc


def test_the_machines_own_time_zone_plays_no_part(
    tmp_path: Path, con: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naive times are UTC wherever the machine stands, for every precision that Parquet has."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    duckdb.connect().execute(
        "COPY (SELECT 'a' AS account_id, TIMESTAMP_NS '2024-01-01 10:00:00.123456000' AS created_at, "
        f"TIMESTAMP_S '2024-01-02 10:00:00' AS onboarded_at) TO '{tmp_path / 'accounts.parquet'}'"
    )
    row = scan(con, tmp_path, "accounts").to_pyarrow().to_pylist()[0]
    assert row["created_at"] == dt.datetime(2024, 1, 1, 10, 0, 0, 123456, tzinfo=dt.UTC)
    assert row["onboarded_at"] == dt.datetime(2024, 1, 2, 10, tzinfo=dt.UTC)


def test_numbers_as_text_ids_as_numbers_and_unknown_columns(tmp_path: Path, con: Backend) -> None:
    """Types follow the contract, ids keep their leading zeros, unknown columns are left out."""
    rows = [{"account_id": "007", "created_at": "2024-01-01", "employees": "12", "colour": "red"}]
    folder = write_folder(tmp_path / "text", {"accounts": rows})
    row = scan(con, folder, "accounts").to_pyarrow().to_pylist()[0]
    assert (row["account_id"], row["employees"]) == ("007", 12)
    assert "colour" not in row
    (tmp_path / "numbers").mkdir()
    path = tmp_path / "numbers" / "accounts.parquet"
    duckdb.connect().execute(f"COPY (SELECT 7 AS account_id, DATE '2024-01-01' AS created_at) TO '{path}'")
    assert scan(con, tmp_path / "numbers", "accounts").to_pyarrow()["account_id"].to_pylist() == ["7"]


def test_a_column_of_untyped_nulls_is_null_in_the_contracts_type(tmp_path: Path, con: Backend) -> None:
    """Where a writer did not know the type, the contract does."""
    path = tmp_path / "accounts.parquet"
    duckdb.connect().execute(
        "COPY (SELECT 'a' AS account_id, DATE '2024-01-01' AS created_at, NULL::INTEGER AS onboarded_at, "
        f"NULL::DOUBLE AS consent_email) TO '{path}'"
    )
    row = scan(con, tmp_path, "accounts").to_pyarrow().to_pylist()[0]
    assert (row["onboarded_at"], row["consent_email"]) == (None, None)


def test_a_folder_with_wildcards_and_quotes_in_its_name_is_that_folder(tmp_path: Path, con: Backend) -> None:
    """A path is never taken for a pattern."""
    folder = write_folder(tmp_path / "it's [1] *?", good(), form="parquet")
    write_folder(tmp_path / "it's 1 xx", {"accounts": good()["accounts"][:1]}, form="parquet")
    assert scan(con, folder, "accounts").count().to_pyarrow().as_py() == 2


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path, con: Backend) -> None:
    """What a spreadsheet saves as CSV UTF-8 is read as it is."""
    text = "\ufeffaccount_id,created_at,account_name\r\na,2024-01-01,Zoë 🎉\r\n"
    (tmp_path / "accounts.csv").write_bytes(text.encode())
    assert scan(con, tmp_path, "accounts").to_pyarrow()["account_name"].to_pylist() == ["Zoë 🎉"]


def test_a_missing_column_and_a_broken_file_are_named(tmp_path: Path, con: Backend) -> None:
    """Errors say the table, and what it lacks or why it can't be read."""
    write_csv(tmp_path, "accounts", [{"account_id": "a"}])
    with pytest.raises(DataFolderError, match="'accounts' lacks created_at"):
        scan(con, tmp_path, "accounts")
    (tmp_path / "invoices.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataFolderError, match="'invoices': can't be read"):
        scan(con, tmp_path, "invoices")


def test_the_end_of_data_is_declared_or_the_last_usage_day(tmp_path: Path, con: Backend) -> None:
    """dataset.yaml wins; the later of the two usage tables is next; nothing at all is an error."""
    with pytest.raises(DataFolderError, match="no usage rows"):
        end_day(con, tmp_path)
    folder = write_folder(tmp_path, good())
    assert end_day(con, folder) == dt.date(2024, 3, 2)
    write_csv(
        folder, "feature_usage", [{"account_id": "a", "day": "2024-03-05", "feature_key": "x", "count": 1}]
    )
    assert end_day(con, folder) == dt.date(2024, 3, 5)
    (folder / "dataset.yaml").write_text("end_day: 2024-02-29\n")
    assert end_day(con, folder) == dt.date(2024, 2, 29)


def test_plans_are_ordered_as_declared_or_by_their_price(tmp_path: Path, con: Backend) -> None:
    """dataset.yaml wins; else the median MRR decides, and free trials do not make a plan cheap."""
    tables = good()
    for row in tables["subscriptions"]:
        row["is_trial"] = False
    trial = {**tables["subscriptions"][0], "mrr": 0.0, "is_trial": True}
    tables["subscriptions"] += [{**trial, "subscription_id": f"t{n}"} for n in range(5)]
    folder = write_folder(tmp_path, tables)
    assert plan_order(con, folder) == ("basic", "pro")
    (folder / "dataset.yaml").write_text("plan_order: [pro, basic]\n")
    assert plan_order(con, folder) == ("pro", "basic")


def test_every_table_of_the_contract_names_columns_that_it_has() -> None:
    """Keys, times and orders of the contract refer to its own columns, and each name is there once."""
    for contract in TABLES:
        names = [column.name for column in contract.columns]
        assert len(names) == len(set(names))
        referred = {*contract.key, *(name for pair in contract.not_before for name in pair)}
        referred |= {contract.time} if contract.time else set()
        assert referred <= set(names)
        assert all(not contract.by_name[name].nullable for name in contract.key)
