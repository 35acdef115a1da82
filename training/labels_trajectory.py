"""Labels of the health trajectory: where an account's health level goes in the 90 days after a cutoff.

The level now is that of the day before the cutoff, as features know it. The level then is the mean of the last 14 days
of the horizon, so that a single bad day decides nothing. An account that leaves within the horizon has declined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from training.errors import DatasetError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from training.labels import Labels

DECLINING, STABLE, IMPROVING = 0, 1, 2
CLASSES = ("declining", "stable", "improving")
HORIZON_DAYS = 90
MEAN_DAYS = 14
POINTS = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class LevelSeries:
    """A daily level by account, in any order; n rows.

    Attributes:
        account_id: Shape (n,).
        day: Shape (n,), `datetime64[D]`, the day that the level is of.
        level: Shape (n,), NaN where it is not known.
    """

    account_id: NDArray[np.object_]
    day: NDArray[np.datetime64]
    level: NDArray[np.float64]


def read_levels(features: Path, view: str = "health", feature: str = "health_score") -> LevelSeries:
    """Return the daily level from the folder of built features.

    A feature row is stamped with the end of its day, 00:00 UTC of the next or just before it; both read as that day.

    Raises:
        DatasetError: The view was not built, or lacks the feature.
    """
    pattern = features / view / "*.parquet"
    if not any((features / view).glob("*.parquet")):
        raise DatasetError(f"{features / view}: no feature rows of the view {view}; build the features first")
    quoted = feature.replace('"', '""')
    query = (
        f'select account_id, event_timestamp as at, "{quoted}"::double as level '  # noqa: S608 - a quoted name
        "from read_parquet($pattern)"
    )
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        try:
            found = con.sql(query, params={"pattern": str(pattern)}).to_arrow_table()
        except duckdb.BinderException as error:
            raise DatasetError(f"{pattern}: the view {view} has no feature {feature}: {error}") from error
    stamps = found.column("at").cast(pa.timestamp("us", tz="UTC")).to_numpy().astype("datetime64[us]")
    return LevelSeries(
        account_id=np.asarray(found.column("account_id").to_pylist(), dtype=object),
        day=(stamps - np.timedelta64(1, "us")).astype("datetime64[D]"),
        level=found.column("level").to_numpy(zero_copy_only=False).astype(np.float64),
    )


def trajectory_labels(
    labels: Labels,
    levels: LevelSeries,
    *,
    known_by: dt.date | None = None,
    points: float = POINTS,
    horizon_days: int = HORIZON_DAYS,
    mean_days: int = MEAN_DAYS,
) -> NDArray[np.float64]:
    """Return the class of each row of *labels* (0 declining, 1 stable, 2 improving), NaN where it is not known.

    Args:
        labels: Accounts, cutoffs and churn.
        levels: Daily levels.
        known_by: First day of which nothing is known; the end of *levels* if None.
        points: Change of the level beyond which it is not stable.
        horizon_days: Days from the cutoff.
        mean_days: Last days of the horizon over which the later level is averaged; half of them must be known.
    """
    if not len(levels.day):
        return np.full(len(labels), np.nan)
    end = levels.day.max() + np.timedelta64(1, "D")
    if known_by is not None:
        end = min(end, np.datetime64(known_by, "D"))
    rows = {
        "at": pa.array(np.arange(len(labels))),
        "account_id": pa.array(labels.account_id.astype(str), pa.string()),
        "cutoff": pa.array(labels.cutoff.astype(np.int64)),
    }
    found = _joined(
        rows,
        levels,
        """
        select a.at, max(l.level) filter (where l.day = a.cutoff - 1) as now,
               avg(l.level) filter (where l.day >= a.cutoff + $from) as later,
               count(l.level) filter (where l.day >= a.cutoff + $from) as days
        from asked a left join levels l
          on l.account_id = a.account_id
         and (l.day = a.cutoff - 1 or (l.day >= a.cutoff + $from and l.day < a.cutoff + $to))
        group by a.at order by a.at
        """,
        {"from": horizon_days - mean_days, "to": horizon_days},
    )
    now, later = (
        np.ma.filled(np.ma.asarray(found[key]).astype(np.float64), np.nan) for key in ("now", "later")
    )
    days = np.asarray(found["days"], dtype=np.int64)
    change = np.where(days * 2 >= mean_days, later - now, np.nan)
    label = np.where(change < -points, DECLINING, np.where(change > points, IMPROVING, STABLE)).astype(
        np.float64
    )
    label[np.isnan(change)] = np.nan
    left = labels.event_days["churn"] < horizon_days
    label[left & ~np.isnan(now)] = DECLINING
    told = np.minimum(labels.observed_days["churn"], labels.days_until(end)) >= horizon_days
    label[~told] = np.nan
    return np.asarray(label, dtype=np.float64)


def level_before(labels: Labels, levels: LevelSeries) -> NDArray[np.float64]:
    """Return the level of the day before each cutoff of *labels*, as features know it; NaN where there is none.

    Args:
        labels: n accounts and cutoffs.
        levels: Daily levels.
    """
    rows = {
        "at": pa.array(np.arange(len(labels))),
        "account_id": pa.array(labels.account_id.astype(str), pa.string()),
        "day": pa.array(labels.cutoff.astype("datetime64[D]").astype(np.int64) - 1),
    }
    found = _joined(
        rows,
        levels,
        """
        select a.at, max(l.level) as level
        from asked a left join levels l on l.account_id = a.account_id and l.day = a.day
        group by a.at order by a.at
        """,
    )
    return np.ma.filled(np.ma.asarray(found["level"]).astype(np.float64), np.nan)


def _joined(
    rows: Mapping[str, pa.Array], levels: LevelSeries, query: str, values: Mapping[str, int] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the columns of *query* over the tables `asked`, of *rows*, and `levels`; days are counted from 1970."""
    series = {
        "account_id": pa.array(levels.account_id.astype(str), pa.string()),
        "day": pa.array(levels.day.astype(np.int64)),
        "level": pa.array(levels.level, from_pandas=True),
    }
    with duckdb.connect() as con:
        con.register("asked", pa.table(dict(rows)))
        con.register("levels", pa.table(series))
        found: dict[str, NDArray[Any]] = con.execute(query, dict(values or {})).fetchnumpy()
    return found
