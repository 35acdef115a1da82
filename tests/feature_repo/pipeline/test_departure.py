"""What is known of an account after its paid coverage ended, and for how long, by hand-made subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.feature_repo.pipeline.worlds import Row, day, features, time, write

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("days_since_end", "mrr_at_end", "ended_unpaid", "times_left")
NOTHING = dict.fromkeys(NAMES)


def period(key: str, begin: float, end: float | None, **given: Any) -> Row:
    """Return a paid period of account A from day *begin* to day *end*."""
    return {
        "subscription_id": key,
        "account_id": "A",
        "plan": "basic",
        "seats": 1,
        "mrr": 100.0,
        "started_at": time(begin),
        "ended_at": None if end is None else time(end),
        "end_reason": None if end is None else "voluntary",
        **given,
    }


def rows(folder: Path, periods: list[Row], last: int, view: str = "commercial") -> dict[int, Row]:
    """Return the rows of account A, which began on day 0, up to day *last*, by day."""
    world = {
        "accounts": [{"account_id": "A", "created_at": time(0), "segment": "smb"}],
        "subscriptions": periods,
        "usage_daily": [
            {"account_id": "A", "day": day(d), "metric": "logins", "value": 1.0} for d in range(last)
        ],
    }
    found = features(write(world, folder, last), 0, last, [view])[view]
    return {(row["event_timestamp"].date() - day(1)).days: row for row in found}


def told(row: Row) -> dict[str, Any]:
    """Return the features about the departure."""
    return {name: row[name] for name in NAMES}


def test_an_account_that_pays_or_never_did_has_not_left(tmp_path: Path) -> None:
    """All of it is null before the first paid period, during a trial, while a paid one runs, and from a return on."""
    trial = period("t", 5, 19, is_trial=True, mrr=0.0)
    found = rows(tmp_path, [trial, period("1", 19, 60), period("2", 160, None)], 200)
    for number in (0, 5, 18, 19, 59, 160, 200):
        assert told(found[number]) == NOTHING


def test_days_count_from_the_end_that_is_known_by_the_end_of_the_day(tmp_path: Path) -> None:
    """The day of the end is day 0, whatever its hour; an end that lies ahead is not known."""
    for hour in (0.0, 0.9):
        found = rows(tmp_path / str(hour), [period("1", 2, 60 + hour)], 100)
        assert told(found[59]) == NOTHING
        assert told(found[60]) == {
            "days_since_end": 0.0,
            "mrr_at_end": 100.0,
            "ended_unpaid": False,
            "times_left": 1,
        }
        assert found[100]["days_since_end"] == 40.0


def test_revenue_and_reason_are_those_of_the_periods_that_ended_last(tmp_path: Path) -> None:
    """Periods that run to the same day add up; one that was replaced before counts for nothing."""
    periods = [
        period("1", 2, 30, mrr=900.0, end_reason="upgrade"),
        period("2", 30, 60, mrr=200.0, end_reason="nonpayment"),
        period("3", 40, 60, mrr=50.0),
    ]
    assert told(rows(tmp_path, periods, 70)[70]) == {
        "days_since_end": 10.0,
        "mrr_at_end": 250.0,
        "ended_unpaid": True,
        "times_left": 1,
    }


def test_plan_and_seats_are_those_that_the_account_left_with(tmp_path: Path) -> None:
    """Of periods with one end the plan is that of the last begun and seats add up; earlier ones are forgotten."""
    periods = [
        period("1", 2, 30, plan="starter", seats=4),
        period("2", 30, 60, plan="team", seats=20),
        period("3", 40, 60, plan="add_on", seats=5),
    ]
    found = rows(tmp_path, periods, 70)
    assert (found[70]["plan_at_end"], found[70]["seats_at_end"]) == ("add_on", 25)
    assert (found[70]["plan"], found[70]["seats"]) == (None, 0)
    assert (found[50]["plan_at_end"], found[50]["seats_at_end"]) == (None, None)


def test_a_reason_that_nobody_told_is_not_known(tmp_path: Path) -> None:
    """Without any `end_reason` it is null whether the account left unpaid."""
    assert rows(tmp_path, [period("1", 2, 60, end_reason=None)], 70)[70]["ended_unpaid"] is None


def test_a_short_gap_is_no_departure(tmp_path: Path) -> None:
    """A gap of 30 days is not counted among the times it left, one of 31 is, and the present one always."""
    found = rows(
        tmp_path,
        [period("1", 0, 40), period("2", 70, 100), period("3", 131, 140), period("4", 140, 150)],
        160,
    )
    assert [found[number]["times_left"] for number in (40, 69, 100, 130, 150, 160)] == [1, 1, 1, 1, 2, 2]
    assert [found[number]["days_since_end"] for number in (69, 130, 160)] == [29.0, 30.0, 10.0]
    assert told(found[145]) == NOTHING


def test_a_trial_after_leaving_is_no_return(tmp_path: Path) -> None:
    """Days go on counting while a trial runs that nobody pays for."""
    found = rows(tmp_path, [period("1", 0, 40), period("t", 60, 74, is_trial=True, mrr=0.0)], 90)
    assert [found[number]["days_since_end"] for number in (59, 65, 90)] == [19.0, 25.0, 50.0]


@pytest.mark.parametrize(("trial", "after"), [(False, 365), (True, 60)])
def test_rows_stop_a_year_after_the_last_paid_subscription(tmp_path: Path, trial: bool, after: int) -> None:
    """An account that left has rows for 365 more days, one that only tried for 60, and none later."""
    found = rows(tmp_path, [period("1", -5, 40.5, is_trial=trial)], 500, "profile")
    assert (min(found), max(found), len(found)) == (0, 40 + after, 40 + after + 1)
