"""The currency of a data folder's money: one, told by subscriptions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.currency import data_currency
from training.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, currencies: list[str | None] | None) -> Path:
    """Write subscriptions of these currencies, or without that column."""
    count = 2 if currencies is None else len(currencies)
    columns: dict[str, pa.Array] = {
        "subscription_id": pa.array([f"s{number}" for number in range(count)], pa.string()),
        "account_id": pa.array([f"a{number}" for number in range(count)], pa.string()),
        "plan": pa.array(["pro"] * count, pa.string()),
        "seats": pa.array([3] * count, pa.int64()),
        "mrr": pa.array([90.0] * count, pa.float64()),
        "started_at": pa.array([dt.datetime(2025, 1, 1, tzinfo=dt.UTC)] * count, pa.timestamp("us", "UTC")),
    }
    if currencies is not None:
        columns["currency"] = pa.array(currencies, pa.string())
    pq.write_table(pa.table(columns), folder / "subscriptions.parquet")
    return folder


@pytest.mark.parametrize(
    ("currencies", "found"),
    [
        (["EUR", "EUR"], "EUR"),
        ([" eur", "EUR"], "EUR"),
        (None, "USD"),
        ([None, "USD", ""], "USD"),
        ([], "USD"),
    ],
)
def test_the_currency_is_that_of_all_subscriptions(
    tmp_path: Path, currencies: list[str | None] | None, found: str
) -> None:
    """Codes are read without regard to case; what is not told is in US dollars, as the contract says."""
    assert data_currency(write(tmp_path, currencies)) == found


def test_several_currencies_are_refused_with_their_counts(tmp_path: Path) -> None:
    """Nothing is converted, so amounts of two currencies can't be summed; a row without one counts as US dollars."""
    with pytest.raises(DatasetError, match=r"EUR \(2 rows\), USD \(1 rows\)"):
        data_currency(write(tmp_path, ["EUR", None, "EUR"]))
    with pytest.raises(DatasetError, match="'EURO'; it should be an ISO 4217 code"):
        data_currency(write(tmp_path, ["EURO"]))
