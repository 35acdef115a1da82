"""The opt-in views on a tiny hand-made world, with the values worked out by hand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from feature_repo.pipeline.build import build
from feature_repo.pipeline.procurement import RANKS
from feature_repo.pipeline.views import OPT_IN_VIEWS, view
from feature_repo.tables.external_signals import KINDS
from feature_repo.tables.procurement_updates import STAGES
from tests.feature_repo.pipeline.test_exact_values import check, row, world
from tests.feature_repo.pipeline.worlds import CREATED, Row, day, time, write

if TYPE_CHECKING:
    from pathlib import Path

LAST = 130


def update(number: int, known: float, **told: Any) -> Row:
    """Return an update of account A that became known on day *known*."""
    return {"update_id": f"{number}", "account_id": "A", "known_at": time(known), **told}


def signal(number: int, known: float, kind: str, scope: str, level: float, **more: Any) -> Row:
    """Return a signal that came on record on day *known*."""
    return {
        "signal_id": f"{number}",
        "known_at": time(known),
        "kind": kind,
        "scope": scope,
        "level": level,
        **more,
    }


def test_a_purchase_goes_through_its_stages(tmp_path: Path) -> None:
    """Stage, approval and budget each keep what was last said of them, and count days from when it changed."""
    tables = world() | {
        "procurement_updates": [
            update(1, 3, budget_starts_on=day(31)),
            update(2, 20.5, stage="evaluation"),
            update(3, 50, stage="evaluation", approval="pending"),
            update(4, 60, stage="negotiation", approval="refused"),
            update(5, 70.9, approval="pending"),
            update(6, 120, stage="ordered", approval="granted"),
        ]
    }
    nothing_yet = {
        "days_to_next_budget_start": None,
        "procurement_stage": None,
        "procurement_stage_rank": None,
        "days_in_procurement_stage": None,
        "approval_pending": None,
        "approval_pending_days": None,
        "approvals_refused_365d": 0,
    }
    check(row(tmp_path / "2", tables, "procurement", 2), nothing_yet)
    check(
        row(tmp_path / "55", tables, "procurement", 55),
        {
            # From 25 February 2024 to 1 February 2025, in a leap year.
            "days_to_next_budget_start": 342,
            "procurement_stage": "evaluation",
            "procurement_stage_rank": 2,
            "days_in_procurement_stage": 35,
            "approval_pending": True,
            "approval_pending_days": 5,
            "approvals_refused_365d": 0,
        },
    )
    check(
        row(tmp_path / "80", tables, "procurement", 80),
        {
            "procurement_stage_rank": 4,
            "days_in_procurement_stage": 20,
            "approval_pending_days": 10,
            "approvals_refused_365d": 1,
        },
    )
    check(
        row(tmp_path / "130", tables, "procurement", LAST),
        {
            "procurement_stage": "ordered",
            "procurement_stage_rank": 0,
            "approval_pending": False,
            "approval_pending_days": None,
            "approvals_refused_365d": 1,
        },
    )


@pytest.mark.parametrize(
    ("told", "months", "number", "days"),
    [
        (31, None, 31, 0),
        (31, 3, 32, 89),  # to 1 May
        (31, 1, 130, 22),  # from 10 May to 1 June
        (200, 1, 5, 195),  # told ahead: no period before it is made up
        (30, 1, 31, 27),  # a period that begins on the 31st: to 28 February
        (-10000, 12, 5, 222),  # 15 August 1996: to 15 August 2024
    ],
)
def test_the_next_budget_start_is_a_whole_number_of_periods_after_the_one_told(
    told: int, months: int | None, number: int, days: int, tmp_path: Path
) -> None:
    """A start that has passed comes again every period, on the same day of the month, the 28th at the latest."""
    tables = world() | {
        "procurement_updates": [update(1, 1, budget_starts_on=day(told), budget_months=months)]
    }
    found = row(tmp_path, tables, "procurement", number)["days_to_next_budget_start"]
    assert found == days
    start = day(number) + dt.timedelta(days=found)
    assert start.day == min(day(told).day, 28) or start == day(told)


def test_of_two_updates_of_one_time_the_larger_id_counts(tmp_path: Path) -> None:
    """What the last update of a moment says nothing of is what the one before it said."""
    tables = world() | {
        "procurement_updates": [
            update(2, 10, stage="negotiation"),
            update(1, 10, stage="evaluation", approval="pending"),
        ]
    }
    found = row(tmp_path, tables, "procurement", 10)
    assert (found["procurement_stage"], found["approval_pending"]) == ("negotiation", True)


def test_signals_count_from_when_they_were_on_record_for_whom_they_concern(tmp_path: Path) -> None:
    """A reading of an earlier day is not known before it came on record, and one of another region never."""
    tables = world() | {
        "external_signals": [
            signal(1, 5.5, "market", "all", 0.5),
            signal(2, 20, "competitor", "account", -0.1, scope_id="A"),
            signal(3, 100, "market", "segment", -0.2, scope_id="smb", effective_on=day(40)),
            signal(4, 101, "economy", "region", -0.9, scope_id="us"),
            signal(5, 102, "regulation", "region", -0.4, scope_id="eu", effective_on=day(400)),
            signal(6, 103, "regulation", "industry", 0.9, scope_id="retail"),
            signal(7, 104, "regulation", "account", 0.8, scope_id="someone else"),
        ]
    }
    check(
        row(tmp_path / "99", tables, "external", 99),
        {
            "market_signal_level": 0.5,
            "market_signal_change_90d": 0.0,
            "competitor_signal_level": -0.1,
            "competitor_signal_change_90d": None,
            "adverse_signals_90d": 1,
            "days_since_adverse_signal": 79,
            "days_since_external_signal": 79,
        },
    )
    check(
        row(tmp_path / "120", tables, "external", 120),
        {
            "market_signal_level": -0.2,
            "market_signal_change_90d": -0.7,
            "competitor_signal_level": -0.1,
            "competitor_signal_change_90d": 0.0,
            "regulation_signal_level": -0.4,
            "economy_signal_level": None,
            "adverse_signals_90d": 2,
            "days_since_adverse_signal": 18,
            "days_since_external_signal": 18,
        },
    )


def test_an_opt_in_view_is_built_once_its_table_is_there_and_nulled_when_it_goes(tmp_path: Path) -> None:
    """Without its table there is no file and no warning; with it there are rows of every day; then they are null."""
    tables, out = world(), tmp_path / "out"
    report = build(write(tables, tmp_path / "data", LAST), out, created=CREATED)
    names = {spec.name for spec in OPT_IN_VIEWS}
    assert not names & {one.name for one in report.views}
    assert not any((out / name).exists() for name in names)
    assert not any("procurement" in warning or "external" in warning for warning in report.warnings)
    more = tables | {"procurement_updates": [update(1, 3, stage="evaluation")]}
    built = {one.name: one for one in build(write(more, tmp_path / "data", LAST), out, created=CREATED).views}
    assert (built["procurement"].reason, built["usage"].reason) == ("first build", "nothing new")
    assert built["procurement"].rows == built["usage"].rows
    again = build(tmp_path / "data", out, created=CREATED)
    assert {one.reason for one in again.views} == {"nothing new"}
    assert "procurement" in {one.name for one in again.views}
    (tmp_path / "data" / "procurement_updates.parquet").unlink()
    gone = build(tmp_path / "data", out, created=CREATED)
    assert next(one for one in gone.views if one.name == "procurement").reason == (
        "rebuilt: procurement_updates came or went"
    )
    assert any("'procurement_updates' is absent" in warning for warning in gone.warnings)


def test_the_words_of_the_tables_and_of_the_views_agree() -> None:
    """Stages rank in their order and 0 where they end a purchase, and every kind of signal has its two features."""
    assert [RANKS[stage] for stage in STAGES] == [1, 2, 3, 4, 5, 0, 0]
    names = [feature.name for feature in view("external").features]
    assert names[: 2 * len(KINDS)] == [
        f"{kind}_signal_{what}" for kind in KINDS for what in ("level", "change_90d")
    ]
