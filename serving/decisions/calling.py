"""When an account can be called: the first full hour from tomorrow on that is not quiet there."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from serving.decisions.local_time import is_quiet, local_now

if TYPE_CHECKING:
    from serving.decisions.frame import DecisionFrame

HOURS_AHEAD: Final = 14 * 24


def first_awake_hour(frame: DecisionFrame, minutes: int) -> dt.datetime | None:
    """Return when a call of *minutes* can begin, or None if no hour within two weeks is known to be free of quiet.

    Begin and last minute of the call must both lie outside of the account's quiet hours.
    """
    first = frame.now.replace(minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    start, end = frame.number("quiet_hours_start"), frame.number("quiet_hours_end")
    if start is None and end is None:
        return first
    local = local_now(frame)
    if start is None or end is None or local is None:
        return None
    last = dt.timedelta(minutes=minutes - 1)
    for ahead in range(HOURS_AHEAD):
        hour = first + dt.timedelta(hours=ahead)
        ends = (one.astimezone(local.tzinfo).hour for one in (hour, hour + last))
        if not any(is_quiet(one, int(start), int(end)) for one in ends):
            return hour
    return None
