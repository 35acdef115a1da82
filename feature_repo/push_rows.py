"""Pushed rows, checked against their view before any of them is written."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Final

import pandas as pd
import pyarrow as pa

from feature_repo.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_repo.pipeline.spec import Dtype, ViewSpec

CLOCK_TOLERANCE: Final = dt.timedelta(minutes=5)
EXACT_IN_FEAST: Final = 2**53
ARROW_TYPES: dict[Dtype, pa.DataType] = {
    "Float64": pa.float64(),
    "Int64": pa.int64(),
    "String": pa.string(),
    "Bool": pa.bool_(),
}


def pushed_frame(spec: ViewSpec, rows: Sequence[Mapping[str, object]], now: dt.datetime) -> pd.DataFrame:
    """Return *rows* as the data frame that Feast writes, columns in the order of the view.

    Args:
        spec: The view that the rows belong to.
        rows: Mappings of `account_id`, `event_timestamp` and every feature.
        now: The time; event times may lie at most five minutes after it.

    Raises:
        ContractError: A row lacks a column, has one too many, or holds a value of another type; the first
            such row.
    """
    dtypes = {feature.name: feature.dtype for feature in spec.features}
    columns = {"account_id", "event_timestamp", *dtypes}
    checked: dict[str, list[object]] = {name: [] for name in ("account_id", "event_timestamp", *dtypes)}
    for number, row in enumerate(rows, start=1):
        where = f"row {number} of the view {spec.name}"
        missing, unknown = columns - row.keys(), row.keys() - columns
        if missing:
            raise ContractError(
                f"{where} lacks {', '.join(sorted(missing))}; push whole rows, null where unknown"
            )
        if unknown:
            raise ContractError(f"{where} has {', '.join(sorted(unknown))}, which the view does not have")
        account = row["account_id"]
        if not isinstance(account, str) or not account:
            raise ContractError(f"{where}: account_id should be text that is not empty, not {account!r}")
        checked["account_id"].append(account)
        checked["event_timestamp"].append(_event_time(row["event_timestamp"], now, where))
        for name, dtype in dtypes.items():
            checked[name].append(_value(row[name], dtype, f"{where}, {name}"))
    types = {"account_id": pa.string(), "event_timestamp": pa.timestamp("us", tz="UTC")} | {
        name: ARROW_TYPES[dtype] for name, dtype in dtypes.items()
    }
    table = pa.table({name: pa.array(values, types[name]) for name, values in checked.items()})
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    frame["created"] = pd.Timestamp(now)
    return frame


def _event_time(value: object, now: dt.datetime, where: str) -> dt.datetime:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ContractError(f"{where}: event_timestamp {value!r} is not an ISO time") from None
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise ContractError(f"{where}: event_timestamp should be a time with a time zone, not {value!r}")
    if value > now + CLOCK_TOLERANCE:
        raise ContractError(f"{where}: event_timestamp {value.isoformat()} lies after now, {now.isoformat()}")
    return value


def _value(value: object, dtype: Dtype, where: str) -> object:
    if value is None:
        return None
    if dtype == "Float64" and isinstance(value, int | float) and not isinstance(value, bool):
        if math.isinf(value):
            raise ContractError(f"{where}: {value!r} is not finite; null says that there is no value")
        return None if math.isnan(value) else float(value)
    if dtype == "Int64" and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > EXACT_IN_FEAST:
            raise ContractError(
                f"{where}: {value} is beyond 2**53, up to which Feast carries integers exactly"
            )
        return value
    if (dtype == "String" and isinstance(value, str)) or (dtype == "Bool" and isinstance(value, bool)):
        return value
    raise ContractError(f"{where}: should be {dtype}, not {type(value).__name__} {value!r}")
