"""Offline features as the values that the online reader gives, so that batch and service can't differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serving.errors import ServingError
from serving.features.rows import ContextValue, FeatureRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from feature_repo.contract import ContractFeature, FeatureContract
    from serving.bundle.manifest import Manifest

ACCOUNT = "account_id"
MICROSECONDS = 1e6
DTYPES = {"Float64": pa.float64(), "Int64": pa.int64(), "Bool": pa.bool_(), "String": pa.string()}


class FeatureTableError(ServingError):
    """A table of features does not have the contract's columns."""


def time_column(view: str) -> str:
    """Return the name of the column with the event time of *view*'s row."""
    return f"{view}__event_timestamp"


def feature_table_schema(contract: FeatureContract) -> pa.Schema:
    """Return the schema of a table of features: account, an event time a view, every feature."""
    return pa.schema(
        [
            pa.field(ACCOUNT, pa.string(), nullable=False),
            *(pa.field(time_column(view.name), pa.timestamp("us", tz="UTC")) for view in contract.views),
            *(pa.field(feature.name, DTYPES[feature.dtype]) for feature in contract.features),
        ]
    )


def feature_rows(table: pa.RecordBatch, manifest: Manifest) -> FeatureRows:
    """Return the n accounts of *table* as the scoring code wants them.

    Args:
        table: Columns by name as `feature_table_schema` says, n rows; types may be narrower.
        manifest: Contract and encodings.

    Raises:
        FeatureTableError: A column is missing or of another type.
    """
    contract = manifest.contract
    n = table.num_rows
    columns = {field.name: _column(table, field) for field in feature_table_schema(contract)}
    codes = {encoding.feature: encoding.categories for encoding in manifest.encodings}
    matrix = np.full((n, len(contract.model_features)), np.nan)
    for index, feature in enumerate(contract.model_features):
        matrix[:, index] = _numbers(columns[feature.name], feature, codes)
    as_of = np.column_stack([_seconds(columns[time_column(view.name)]) for view in contract.views])
    told = [feature for feature in contract.features if feature.role == "policy" or feature.dtype == "String"]
    values = [columns[feature.name].to_pylist() for feature in told]
    names = [feature.name for feature in told]
    context: tuple[dict[str, ContextValue], ...] = tuple(
        dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)
    ) or tuple({} for _ in range(n))
    return FeatureRows(
        account_ids=tuple(columns[ACCOUNT].to_pylist()),
        known=np.array(np.isfinite(as_of).any(axis=1)),
        matrix=matrix,
        as_of=as_of,
        context=context,
    )


def _column(table: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in table.schema.names:
        raise FeatureTableError(f"the feature table has no column {field.name!r}; it should be {field.type}")
    try:
        return table.column(field.name).cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        found = table.schema.field(field.name).type
        raise FeatureTableError(
            f"column {field.name!r} of the feature table is {found}; it should be {field.type}"
        ) from error


def _numbers(
    column: pa.Array, feature: ContractFeature, codes: dict[str, tuple[str, ...]]
) -> NDArray[np.float64]:
    if feature.dtype == "String":
        column = pc.index_in(column, value_set=pa.array(codes[feature.name], pa.string()), skip_nulls=True)
    numbers: NDArray[np.float64] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _seconds(column: pa.Array) -> NDArray[np.float64]:
    micros: NDArray[np.float64] = column.cast(pa.int64()).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return micros / MICROSECONDS
