"""Where a view's rows come from: Parquet files by month, and for some views pushed rows as well.

Feast collects the sources from the views that use them, so this module holds functions and no objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feast import FileSource, PushSource
from feast.data_format import ParquetFormat

if TYPE_CHECKING:
    from pathlib import Path

    from feature_repo.pipeline.spec import ViewSpec

PUSHED_VIEWS: Final = ("usage", "profile", "procurement", "external")


def push_source_name(view: str) -> str:
    """Return the name of the push source of *view*."""
    return f"{view}_push"


def batch_source(spec: ViewSpec, features_dir: Path) -> FileSource:
    """Return the source of the Parquet files of one view, `FEATURES_DIR/VIEW/*.parquet`.

    The path is made absolute, since Feast resolves a relative one against whatever folder a process runs in.
    """
    return FileSource(
        name=f"{spec.name}_daily",
        path=str(features_dir.resolve() / spec.name / "*.parquet"),
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
        description=f"Daily rows of {spec.name}, each stamped with its day's end.",
        owner=spec.owner,
        tags={"tables": ",".join(spec.tables)},
    )


def source(spec: ViewSpec, features_dir: Path) -> FileSource | PushSource:
    """Return the source of one view: its files, behind a push source if the view takes pushed rows."""
    files = batch_source(spec, features_dir)
    if spec.name not in PUSHED_VIEWS:
        return files
    return PushSource(
        name=push_source_name(spec.name),
        batch_source=files,
        description=f"Fresh rows of {spec.name}, between two daily builds.",
        owner=spec.owner,
    )
