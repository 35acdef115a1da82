"""Options that commands share mean the same in each."""

from __future__ import annotations

import datetime as dt

import pytest

from keepgrow.options import in_utc

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "given",
    [
        dt.datetime(2026, 3, 1, 12),  # noqa: DTZ001 -- as it comes from an option without an offset
        dt.datetime(2026, 3, 1, 17, 30, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    ],
)
def test_a_time_is_read_as_utc_unless_it_has_an_offset(given: dt.datetime) -> None:
    """Without an offset it is UTC already; with one it is brought to UTC."""
    assert in_utc(given) == NOON
    assert in_utc(given).tzinfo is dt.UTC


def test_without_a_time_it_is_now() -> None:
    """Nothing given means the time at which the command runs, in UTC."""
    before = dt.datetime.now(dt.UTC)
    assert before <= in_utc(None) <= dt.datetime.now(dt.UTC)
