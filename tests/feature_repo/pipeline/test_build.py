from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from feature_repo.errors import PipelineError
from feature_repo.pipeline.build import build
from feature_repo.pipeline.month_files import MonthFiles, schema_of
from feature_repo.pipeline.views import ALL_VIEWS, VIEWS
from tests.feature_repo.pipeline.worlds import CREATED, World, day, random_world, time, write

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 75


@pytest.fixture(scope="module")
def world() -> World:
    """A random world with tickets that bring text in place of a sentiment."""
    made = random_world(random.Random(5), DAYS)
    for ticket in made["support_tickets"]:
        ticket["sentiment"], ticket["text"] = None, f"This is terrible, I am angry ({ticket['ticket_id']})"
    return made


def rows(out: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all views, in order of account and time."""
    return {
        spec.name: sorted(
            (row for file in (out / spec.name).glob("*.parquet") for row in pq.read_table(file).to_pylist()),
            key=lambda row: (row["account_id"], row["event_timestamp"]),
        )
        for spec in ALL_VIEWS
    }


def test_building_in_steps_equals_building_at_once_and_in_blocks(world: World, tmp_path: Path) -> None:
    """Days added in three steps, and accounts cut into blocks, give exactly the rows of one build."""
    data = write(world, tmp_path / "data", DAYS)
    steps = [build(data, tmp_path / "steps", created=CREATED, end=day(last)) for last in (33, 34, DAYS)]
    build(data, tmp_path / "once", created=CREATED)
    build(data, tmp_path / "blocks", created=CREATED, grid_rows=1500)
    at_once = rows(tmp_path / "once")
    assert rows(tmp_path / "steps") == at_once
    assert rows(tmp_path / "blocks") == at_once
    assert [step.views[0].reason for step in steps] == [
        "first build",
        "1 more day",
        f"{DAYS - 34} more days",
    ]
    assert [step.tickets_scored for step in steps] == [len(world["support_tickets"]), 0, 0]
    files = sorted((tmp_path / "once" / "usage").iterdir())
    assert [file.name for file in files] == ["2024-01.parquet", "2024-02.parquet", "2024-03.parquet"]
    assert all(
        pq.read_schema(tmp_path / "once" / v.name / files[0].name).equals(schema_of(v)) for v in ALL_VIEWS
    )


def test_nothing_new_touches_no_file(world: World, tmp_path: Path) -> None:
    """A second build on the same data writes nothing and says so."""
    data = write(world, tmp_path / "data", DAYS)
    build(data, tmp_path / "out", created=CREATED, start=day(60))
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.parquet")}
    report = build(data, tmp_path / "out", created=CREATED, start=day(60))
    assert {view.reason for view in report.views} == {"nothing new"}
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.parquet")} == before


def test_a_changed_past_is_rebuilt_from_its_month_on_and_late_knowledge_is_not_a_change(
    world: World, tmp_path: Path
) -> None:
    """A corrected old row rebuilds its month and later ones; an end that came later rebuilds nothing."""
    data = write(world, tmp_path / "data", DAYS)
    build(data, tmp_path / "out", created=CREATED, end=day(70))
    later = {**world, "subscriptions": [dict(row) for row in world["subscriptions"]]}
    running = [
        row for row in later["subscriptions"] if row["ended_at"] is None or row["ended_at"] >= time(71)
    ]
    running[0]["ended_at"] = time(72.5)
    write(later, data, DAYS)
    report = build(data, tmp_path / "out", created=CREATED, end=day(70))
    assert {view.reason for view in report.views} == {"nothing new"}
    corrected = {**later, "usage_daily": [dict(row) for row in later["usage_daily"]]}
    old = next(row for row in corrected["usage_daily"] if day(35) < row["day"] < day(50))
    old["value"] += 5.0
    write(corrected, data, DAYS)
    report = build(data, tmp_path / "out", created=CREATED, end=day(70))
    reasons = {view.name: view.reason for view in report.views}
    assert reasons["usage"] == "rebuilt from 2024-02-01: usage_daily changed in the past"
    assert reasons["engagement"] == "nothing new"
    build(data, tmp_path / "once", created=CREATED, end=day(70))
    assert rows(tmp_path / "out") == rows(tmp_path / "once")


def test_absent_tables_give_null_features_and_a_warning(world: World, tmp_path: Path) -> None:
    """Without optional tables rows exist, their features are null, and the report names both."""
    small = {name: world[name] for name in ("accounts", "subscriptions", "usage_daily")}
    report = build(write(small, tmp_path / "data", DAYS), tmp_path / "out", created=CREATED, start=day(70))
    sentiment = rows(tmp_path / "out")["sentiment"]
    assert sentiment
    assert all(row[f.name] is None for row in sentiment for f in VIEWS[2].features)
    assert any("'invoices' is absent" in text and "invoices_overdue" in text for text in report.warnings)
    assert len(report.warnings) == 7


def test_ticket_text_becomes_sentiment(world: World, tmp_path: Path) -> None:
    """Without a given sentiment, the mean mood is the scorer's value of the texts."""
    ticket = {"ticket_id": "only", "account_id": "Acme", "opened_at": time(60), "text": "Awful. I hate it!"}
    data = write({**world, "support_tickets": [ticket]}, tmp_path / "data", DAYS)
    build(data, tmp_path / "out", created=CREATED, start=day(60), end=day(61))
    mood = SentimentIntensityAnalyzer().polarity_scores(str(ticket["text"]))["compound"]
    found = [row for row in rows(tmp_path / "out")["sentiment"] if row["account_id"] == "Acme"]
    assert found
    assert {row["ticket_sentiment_90d_mean"] for row in found} == {mood}


def test_a_build_that_is_cut_off_leaves_old_files_whole(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of a build that fails before its end are not seen, and the next build completes it."""
    data = write(world, tmp_path / "data", DAYS)
    build(data, tmp_path / "out", created=CREATED, start=day(30), end=day(50))
    before = rows(tmp_path / "out")

    def cut_off(_: MonthFiles) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MonthFiles, "commit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            build(data, tmp_path / "out", created=CREATED, start=day(30))
    assert rows(tmp_path / "out") == before
    build(data, tmp_path / "out", created=CREATED, start=day(30))
    build(data, tmp_path / "once", created=CREATED, start=day(30))
    assert rows(tmp_path / "out") == rows(tmp_path / "once")


def test_days_after_the_data_are_refused(world: World, tmp_path: Path) -> None:
    """Features for days that the data does not cover are refused with the day up to which it is complete."""
    data = write(world, tmp_path / "data", DAYS)
    with pytest.raises(PipelineError, match=f"complete until {day(DAYS)}"):
        build(data, tmp_path / "out", created=CREATED, end=day(DAYS + 1))


def test_a_folder_without_accounts_is_refused(world: World, tmp_path: Path) -> None:
    """A missing required table is named."""
    data = write({"usage_daily": world["usage_daily"]}, tmp_path / "data", DAYS)
    with pytest.raises(PipelineError, match="'accounts' is absent"):
        build(data, tmp_path / "out", created=CREATED)


def test_ids_that_differ_by_case_or_hold_emoji_stay_apart(world: World, tmp_path: Path) -> None:
    """Each account id comes out byte for byte as it went in."""
    build(write(world, tmp_path / "data", DAYS), tmp_path / "out", created=CREATED, start=day(70))
    found = {row["account_id"] for row in rows(tmp_path / "out")["usage"]}
    assert {"Acme", "acme", "🦊 GmbH"} <= found <= {row["account_id"] for row in world["accounts"]}
