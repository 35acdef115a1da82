"""Release windows: open and closed hours, freezes, the clock's changes, and when it opens and closes next."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.decisions.catalogue import Catalogue
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument, load_policy
from serving.decisions.policy.release import ReleaseWindow
from serving.decisions.policy.stages import RULE_STAGES
from tests.serving.decisions.frames import FIELDS, action, document, frame

OFFICE = {"weekdays": [1, 2, 3, 4, 5], "from_hour": 9, "until_hour": 17}


def window(**changes: Any) -> ReleaseWindow:
    """Return a window of office hours in Berlin, with *changes*."""
    content = {"id": "office", "timezone": "Europe/Berlin", "open": [OFFICE], **changes}
    return ReleaseWindow.model_validate(content)


def at(text: str) -> dt.datetime:
    """Return a time of 2026 in UTC, such as `03-27 07:59`."""
    return dt.datetime.strptime(f"2026-{text}+0000", "%Y-%m-%d %H:%M%z")


@pytest.mark.parametrize(
    ("zone", "time", "is_open"),
    [
        ("Europe/Berlin", "03-27 07:59", False),
        ("Europe/Berlin", "03-27 08:00", True),
        ("Europe/Berlin", "03-30 06:59", False),
        ("Europe/Berlin", "03-30 07:00", True),
        ("Europe/Berlin", "03-30 14:59", True),
        ("Europe/Berlin", "03-30 15:00", False),
        ("Europe/Berlin", "10-23 06:59", False),
        ("Europe/Berlin", "10-23 07:00", True),
        ("Europe/Berlin", "10-26 07:59", False),
        ("Europe/Berlin", "10-26 08:00", True),
        ("America/New_York", "03-06 13:59", False),
        ("America/New_York", "03-06 14:00", True),
        ("America/New_York", "03-09 12:59", False),
        ("America/New_York", "03-09 13:00", True),
        ("America/New_York", "11-02 13:59", False),
        ("America/New_York", "11-02 14:00", True),
        ("account", "03-28 12:00", False),
        ("account", "03-27 12:00", True),
    ],
)
def test_hours_are_those_of_the_zone_before_and_after_its_clock_changes(
    zone: str, time: str, is_open: bool
) -> None:
    """Nine o'clock stays nine o'clock: the UTC time moves by an hour. The account's zone is Berlin."""
    assert window(timezone=zone).is_open(frame(now=at(time))) == is_open


@pytest.mark.parametrize(
    ("zone", "day", "hours", "minutes_open"),
    [
        ("Europe/Berlin", "03-29", (1, 4), 120),
        ("Europe/Berlin", "10-25", (1, 4), 240),
        ("Europe/Berlin", "03-29", (2, 3), 0),
        ("America/New_York", "03-08", (1, 4), 120),
        ("America/New_York", "11-01", (1, 4), 240),
        ("America/New_York", "11-01", (0, 4), 300),
    ],
)
def test_on_the_day_of_the_change_the_hours_are_as_long_as_the_clock_says(
    zone: str, day: str, hours: tuple[int, int], minutes_open: int
) -> None:
    """An hour that is skipped is not open, one that comes twice is open twice."""
    one = window(timezone=zone, open=[{"from_hour": hours[0], "until_hour": hours[1]}])
    start = at(f"{day} 00:00") - dt.timedelta(hours=3)
    times = [start + dt.timedelta(minutes=minute) for minute in range(0, 60 * 17, 10)]
    assert sum(one.is_open(frame(now=time)) for time in times) * 10 == minutes_open


@pytest.mark.parametrize(
    ("time", "opens"),
    [
        ("03-27 12:00", None),
        ("03-27 16:00", "03-30 07:00"),
        ("03-27 05:00", "03-27 08:00"),
        ("03-28 12:00", "03-30 07:00"),
        ("10-24 12:00", "10-26 08:00"),
    ],
)
def test_a_closed_window_says_when_it_opens(time: str, opens: str | None) -> None:
    """Weekends and the change of the clock lie between; an open window opens at no time."""
    assert window().opens_at(frame(now=at(time))) == (None if opens is None else at(opens))


FREEZE = {"begins_at": "2026-03-25T00:00:00Z", "ends_at": "2026-03-30T10:00:00Z"}


@pytest.mark.parametrize(
    ("changes", "time", "opens", "closes"),
    [
        ({"freezes": [FREEZE]}, "03-26 12:00", "03-30 10:00", None),
        ({"freezes": [FREEZE]}, "03-24 12:00", None, "03-24 16:00"),
        ({"freezes": [{**FREEZE, "begins_at": "2026-03-24T13:00:00Z"}]}, "03-24 12:00", None, "03-24 13:00"),
        ({"freezes": [FREEZE, {"begins_at": "2026-03-30T10:00:00Z", "ends_at": "2026-03-30T16:00:00Z"}]},
         "03-26 12:00", "03-31 07:00", None),
        ({"open": [], "freezes": [FREEZE]}, "03-26 12:00", "03-30 10:00", None),
        ({"open": [], "freezes": [FREEZE]}, "03-24 12:00", None, "03-25 00:00"),
        ({"open": [], "freezes": [FREEZE]}, "03-30 10:00", None, None),
        ({}, "03-27 12:00", None, "03-27 16:00"),
        ({"open": [{"weekdays": [5], "from_hour": 20}, {"weekdays": [6], "until_hour": 4}]},
         "03-27 20:00", None, "03-28 03:00"),
        ({"open": [{}]}, "03-27 20:00", None, None),
    ],
)  # fmt: skip
def test_freezes_count_whatever_the_hour(
    changes: dict[str, Any], time: str, opens: str | None, closes: str | None
) -> None:
    """Nothing goes out in a freeze, one may follow another, and hours that meet are one."""
    one, now = window(**changes), frame(now=at(time))
    assert one.is_open(now) == (opens is None)
    assert one.opens_at(now) == (None if opens is None else at(opens))
    assert one.closes_at(now) == (None if closes is None else at(closes))


def test_without_a_time_zone_the_accounts_hours_are_closed() -> None:
    """What can't be told fails closed, and nobody knows when it opens; a freeze needs no zone."""
    blind = frame(features={"timezone": None}, now=at("03-27 12:00"))
    assert not window(timezone="account").is_open(blind)
    assert window(timezone="account").opens_at(blind) is None
    assert window(timezone="account", open=[], freezes=[FREEZE]).opens_at(blind) == at("03-30 10:00")


hours = st.builds(
    lambda days, start, length: {
        "weekdays": sorted(days), "from_hour": start, "until_hour": min(24, start + length),
    },
    st.sets(st.integers(1, 7), min_size=1),
    st.integers(0, 23),
    st.integers(1, 12),
)  # fmt: skip
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


@settings(max_examples=80, deadline=None)
@given(st.lists(hours, min_size=1, max_size=3), st.sampled_from(ZONES), st.integers(0, 24 * 365 * 4))
def test_nothing_changes_before_the_time_that_is_told(
    open_hours: list[dict[str, Any]], zone: str, quarter: int
) -> None:
    """Until a window is said to open (or close) it stays as it is, and then it is otherwise."""
    one = window(open=open_hours, timezone=zone)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=15 * quarter)
    is_open = one.is_open(frame(now=now))
    then = one.closes_at(frame(now=now)) if is_open else one.opens_at(frame(now=now))
    if then is None:
        assert is_open
        return
    assert one.is_open(frame(now=then)) != is_open
    steps = int((then - now) / dt.timedelta(minutes=15))
    for step in range(0, steps, max(1, steps // 40)):
        assert one.is_open(frame(now=now + dt.timedelta(minutes=15 * step))) == is_open


def test_the_refusal_says_when_the_window_opens() -> None:
    """It bears the window's id; what the window does not cover goes on; its end limits how long a decision holds."""
    content = load_policy().model_dump(mode="json")
    content["release_windows"] = [
        {"id": "mail_hours", "covers": {"blast_radii": ["low"], "channels": ["email"]}, "open": [OFFICE]}
    ]
    policy = Policy(PolicyDocument.model_validate(content), FIELDS)
    plans = Catalogue.model_validate(document(action(), action("wide", blast_radius="medium")))
    late = frame(now=at("03-27 17:00"))
    check = policy.about(late, plans)
    fault = check.about(plans.actions_by_key["guide"]).first_fault(RULE_STAGES)
    assert fault is not None
    assert (fault.stage, fault.rule, fault.policy_rule) == (
        "contact_policy",
        "outside_release_window",
        "mail_hours",
    )
    assert fault.text == "It is not the time for it to go out; the next time is: 2026-03-30T07:00+00:00"
    assert check.about(plans.actions_by_key["wide"]).first_fault(RULE_STAGES) is None
    open_frame = frame(now=at("03-27 12:00"))
    assert policy.changes_at(open_frame, plans.actions_by_key["guide"]) == at("03-27 16:00")
    assert policy.changes_at(open_frame, plans.actions_by_key["wide"]) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"open": []}, "neither open hours nor freezes"),
        ({"timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"open": [{"from_hour": 18, "until_hour": 8}]}, "two entries"),
        ({"open": [{"weekdays": [0]}]}, "weekdays"),
        ({"freezes": [{**FREEZE, "ends_at": "2026-03-01T00:00:00Z"}]}, "ends before it begins"),
        ({"freezes": [{**FREEZE, "ends_at": "2026-03-30T10:00:00"}]}, "timezone"),
    ],
)
def test_a_window_that_can_not_be_is_refused(changes: dict[str, Any], says: str) -> None:
    """The message names what is wrong."""
    with pytest.raises(ValidationError, match=says):
        window(**changes)
