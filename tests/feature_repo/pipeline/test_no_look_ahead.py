from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.pipeline.build import build
from feature_repo.pipeline.derived import DERIVED
from tests.feature_repo.pipeline.worlds import (
    CREATED,
    Row,
    altered_after,
    day,
    features,
    random_world,
    write,
)

DAYS = 230
KEYS = ("account_id", "event_timestamp", "created")
FEW = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@FEW
@given(seed=st.integers(0, 2**32), last=st.integers(20, DAYS - 2))
def test_nothing_that_happens_after_a_day_changes_that_day_or_any_before(seed: int, last: int) -> None:
    """Dropping, changing and adding data after day D leaves every feature up to D as it was."""
    rng = random.Random(seed)
    world = random_world(rng, DAYS)
    with TemporaryDirectory() as folder:
        before = features(write(world, Path(folder) / "before", DAYS), 0, DAYS)
        changed = altered_after(world, last, rng, DAYS)
        after = features(write(changed, Path(folder) / "after", DAYS), 0, DAYS)
    for view, rows in before.items():
        known = [row for row in rows if row["event_timestamp"].date() <= day(last + 1)]
        known_after = [row for row in after[view] if row["event_timestamp"].date() <= day(last + 1)]
        assert known_after == known, view


@FEW
@given(seed=st.integers(0, 2**32), number=st.integers(0, DAYS))
def test_a_day_built_by_itself_equals_the_same_day_of_a_long_build(seed: int, number: int) -> None:
    """One day computed alone has, to the last bit, the rows that computing all days at once gives it."""
    with TemporaryDirectory() as folder:
        write(random_world(random.Random(seed), DAYS), Path(folder), DAYS)
        alone = features(Path(folder), number, number)
        at_once = features(Path(folder), 0, DAYS)
    for view, rows in at_once.items():
        assert alone[view] == [row for row in rows if row["event_timestamp"].date() == day(number + 1)], view


def test_views_made_from_others_see_nothing_of_the_future_and_do_not_depend_on_the_first_day_built(
    tmp_path: Path,
) -> None:
    """Health and peers up to day D stay when later data changes, and a build that begins on D gives the same day."""
    rng = random.Random(11)
    world, last = random_world(rng, DAYS), 200
    build(write(world, tmp_path / "data", DAYS), tmp_path / "whole", created=CREATED)
    build(tmp_path / "data", tmp_path / "late", created=CREATED, start=day(last), end=day(last))
    changed = altered_after(world, last, rng, DAYS)
    build(write(changed, tmp_path / "changed", DAYS), tmp_path / "other", created=CREATED)
    for name in DERIVED:
        whole, late, other = (stored_rows(tmp_path / out, name) for out in ("whole", "late", "other"))
        assert [row for row in other if known(row, last)] == [row for row in whole if known(row, last)]
        assert [row for row in other if not known(row, last)] != [
            row for row in whole if not known(row, last)
        ]
        assert late == [row for row in whole if row["event_timestamp"].date() == day(last + 1)]
        values = [value for row in whole for key, value in row.items() if key not in KEYS]
        assert sum(value is not None for value in values) > len(values) / 20


def stored_rows(out: Path, view: str) -> list[Row]:
    """Return the rows of *view* in order of account and time."""
    rows = [row for file in (out / view).glob("*.parquet") for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["account_id"], row["event_timestamp"]))


def known(row: Row, last: int) -> bool:
    """Say whether *row* is of day *last* or before."""
    return bool(row["event_timestamp"].date() <= day(last + 1))


def test_the_alteration_does_change_later_days(tmp_path: Path) -> None:
    """The alteration that the property uses is strong enough to show in every view's later rows."""
    rng = random.Random(3)
    world = random_world(rng, DAYS)
    before = features(write(world, tmp_path / "before", DAYS), 0, DAYS)
    after = features(write(altered_after(world, 100, rng, DAYS), tmp_path / "after", DAYS), 0, DAYS)
    assert all(before[view] != after[view] for view in before)
