"""The account's own clock: what hour it is there, and when its quiet hours are."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from serving.decisions.frame import DecisionFrame

HOURS = 24


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo | None:
    """Return the IANA time zone *name*, or None if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_now(frame: DecisionFrame) -> dt.datetime | None:
    """Return the time of the decision on the account's clock, or None if its time zone is not known."""
    name = frame.text("timezone")
    zone = zone_named(name) if name else None
    return None if zone is None else frame.now.astimezone(zone)


def is_quiet(hour: int, start: int, end: int) -> bool:
    """Return whether *hour* lies in the quiet hours from *start* until *end*; equal ends mean none."""
    return (hour - start) % HOURS < (end - start) % HOURS


def in_quiet_hours(frame: DecisionFrame) -> bool | None:
    """Return whether it is quiet at the account now; None if that can't be told.

    An account without quiet hours is never quiet. One whose hours have one end only, or whose time zone is not
    known, can't be told.
    """
    start, end = frame.number("quiet_hours_start"), frame.number("quiet_hours_end")
    if start is None and end is None:
        return False
    local = local_now(frame)
    if start is None or end is None or local is None:
        return None
    return is_quiet(local.hour, int(start), int(end))


def quiet_from(frame: DecisionFrame) -> dt.datetime | None:
    """Return when the account's next quiet hours begin, or None if it has none that are known."""
    start, end = frame.number("quiet_hours_start"), frame.number("quiet_hours_end")
    local = local_now(frame)
    if start is None or end is None or local is None or start == end:
        return None
    begin = local.replace(hour=int(start), minute=0, second=0, microsecond=0)
    if begin <= local:
        begin += dt.timedelta(days=1)
    return begin.astimezone(dt.UTC)
