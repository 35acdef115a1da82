"""The service's clock: the machine's time, or for demonstrations a time in the past from which it runs on."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEMONSTRATION = "demonstration"


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells the time in epoch seconds.

    Attributes:
        read: Returns the time.
        label: None for the machine's time, `demonstration` for a time of our own.
    """

    read: Callable[[], float]
    label: str | None = None

    def now(self) -> dt.datetime:
        """Return the time as a datetime in UTC."""
        return dt.datetime.fromtimestamp(self.read(), dt.UTC)


def make_clock(start: dt.datetime | None) -> Clock:
    """Return the machine's clock, or one that reads *start* now and runs on at the usual speed."""
    if start is None:
        return Clock(read=time.time)
    begin, zero = start.timestamp(), time.monotonic()
    return Clock(read=lambda: begin + time.monotonic() - zero, label=DEMONSTRATION)
