"""Where health goes after a cutoff, on levels whose course is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from training.errors import DatasetError
from training.labels import Labels
from training.labels_trajectory import (
    DECLINING,
    IMPROVING,
    STABLE,
    LevelSeries,
    level_before,
    read_levels,
    trajectory_labels,
)

CUTOFF = np.datetime64("2025-03-01", "D")


def _labels(accounts: list[str], churn_days: list[float], observed: float = 200.0) -> Labels:
    n = len(accounts)
    return Labels(
        account_id=np.array(accounts, dtype=object),
        cutoff=np.full(n, CUTOFF),
        event_days={"churn": np.array(churn_days), "upsell": np.full(n, np.inf)},
        observed_days={"churn": np.full(n, observed), "upsell": np.full(n, observed)},
        horizons_days=(30, 60, 90),
        withheld_accounts=0,
    )


def _levels(courses: dict[str, tuple[float, float]], days: int = 120) -> LevelSeries:
    """Return levels that stand at the first value up to day 75 after the cutoff, and at the second from then on."""
    parts = [
        (account, CUTOFF + day, before if day < 76 else after)
        for account, (before, after) in courses.items()
        for day in range(-1, days)
    ]
    frame = pd.DataFrame(parts, columns=["account_id", "day", "level"])
    return LevelSeries(
        account_id=frame.account_id.to_numpy(dtype=object),
        day=frame.day.to_numpy().astype("datetime64[D]"),
        level=frame.level.to_numpy(dtype=np.float64),
    )


def test_the_class_follows_the_change_of_the_level():
    """More than eight points down declines, more than eight up improves, eight to either side is stable."""
    courses = {"a": (60, 51), "b": (60, 52), "c": (60, 68), "d": (60, 69)}
    found = trajectory_labels(_labels(list(courses), [np.inf] * 4), _levels(courses))
    assert found.tolist() == [DECLINING, STABLE, STABLE, IMPROVING]


def test_leaving_within_the_horizon_is_declining():
    """An account that leaves on day 89 has declined whatever its level; one that leaves on day 90 has not."""
    courses = {"a": (60, 90), "b": (60, 90)}
    found = trajectory_labels(_labels(["a", "b"], [89.0, 90.0]), _levels(courses))
    assert found.tolist() == [DECLINING, IMPROVING]


@pytest.mark.parametrize(
    "what", ["no level now", "levels end early", "known too early", "churn not observed"]
)
def test_what_cannot_be_told_is_not_labelled(what):
    """Without a level now, or before the horizon is over, there is no class."""
    labels = _labels(["a"], [np.inf], observed=80.0 if what == "churn not observed" else 200.0)
    levels = _levels({"a": (60, 90)}, days=85 if what == "levels end early" else 120)
    if what == "no level now":
        later = levels.day >= CUTOFF
        levels = LevelSeries(levels.account_id[later], levels.day[later], levels.level[later])
    known_by = dt.date(2025, 5, 29) if what == "known too early" else None
    assert np.isnan(trajectory_labels(labels, levels, known_by=known_by)).all()


def test_levels_are_read_from_the_feature_folder(tmp_path):
    """A row stamped with the end of its day is that day's level; a view that is not there is an error."""
    (tmp_path / "health").mkdir()
    frame = pd.DataFrame(
        {
            "account_id": ["a", "a"],
            "event_timestamp": pd.to_datetime(
                ["2025-03-02T00:00:00Z", "2025-03-02T23:59:59.999999Z"], format="ISO8601"
            ),
            "health_score": [55.0, np.nan],
        }
    )
    frame.to_parquet(tmp_path / "health" / "2025-03.parquet")
    found = read_levels(tmp_path)
    assert found.day.tolist() == [dt.date(2025, 3, 1), dt.date(2025, 3, 2)]
    assert found.level[0] == 55.0
    assert np.isnan(found.level[1])
    with pytest.raises(DatasetError, match="build the features"):
        read_levels(tmp_path, view="mood")
    with pytest.raises(DatasetError, match="no feature mood"):
        read_levels(tmp_path, feature="mood")


def test_the_level_before_is_that_of_the_day_before_the_cutoff():
    """Each row gets its own account's level of the day before; another day's, or none, is missing."""
    day = np.array(["2025-01-09", "2025-01-10", "2025-01-09"], dtype="datetime64[D]")
    series = LevelSeries(np.array(["a", "a", "b"], dtype=object), day, np.array([40.0, 50.0, 70.0]))
    cutoffs = np.array(["2025-01-10", "2025-01-10", "2025-01-10", "2025-01-12"], dtype="datetime64[D]")
    labels = replace(_labels(["b", "a", "c", "a"], [np.inf] * 4), cutoff=cutoffs)
    found = level_before(labels, series)
    assert found[:2].tolist() == [70.0, 40.0]
    assert np.isnan(found[2:]).all()
