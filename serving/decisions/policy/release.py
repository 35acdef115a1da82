"""Release windows: at which hours of the week, and outside of which freezes, actions may go out.

Hours are those of a named time zone, or of the account's own; the clock's changes are followed, since only local hours
are looked at.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from serving.decisions.cover import CODE, Cover
from serving.decisions.local_time import zone_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from serving.decisions.frame import DecisionFrame

ACCOUNT_ZONE: Final = "account"
DAYS_AHEAD: Final = 8
"""Within these every hour of a week comes up."""
MOST_FREEZES: Final = 50
"""More freezes than these in a row are not looked behind."""
Weekday = Annotated[int, Field(ge=1, le=7)]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hours(_Value):
    """Hours of some days of the week."""

    weekdays: tuple[Weekday, ...] = Field(
        default=(1, 2, 3, 4, 5, 6, 7), min_length=1, description="Days, Monday 1 to Sunday 7."
    )
    from_hour: int = Field(default=0, ge=0, le=23, description="First hour.")
    until_hour: int = Field(default=24, ge=1, le=24, description="First hour that is closed again.")

    @model_validator(mode="after")
    def _in_order(self) -> Hours:
        if self.from_hour >= self.until_hour:
            raise ValueError("from_hour should be before until_hour; hours across midnight are two entries")
        return self

    def hold(self, local: dt.datetime) -> bool:
        """Return whether *local* lies in them."""
        return local.isoweekday() in self.weekdays and self.from_hour <= local.hour < self.until_hour


class Freeze(_Value):
    """A time in which nothing goes out."""

    begins_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str = Field(default="", description="Why, for people.")

    @model_validator(mode="after")
    def _in_order(self) -> Freeze:
        if self.begins_at >= self.ends_at:
            raise ValueError("a freeze ends before it begins")
        return self


class ReleaseWindow(_Value):
    """When the actions that it covers may go out."""

    id: str = Field(pattern=CODE, description="Unique name; a refusal bears it as its rule.")
    covers: Cover = Field(default=Cover(), description="Actions that it speaks of; nothing given: all.")
    timezone: str = Field(
        default=ACCOUNT_ZONE, description="IANA time zone of the hours; `account`: the account's own."
    )
    open: tuple[Hours, ...] = Field(default=(), description="When they may go out; nothing given: always.")
    freezes: tuple[Freeze, ...] = Field(default=(), description="When they may not, whatever the hour.")

    @model_validator(mode="after")
    def _says_something(self) -> ReleaseWindow:
        if not self.open and not self.freezes:
            raise ValueError(f"release window {self.id!r} has neither open hours nor freezes")
        if self.timezone != ACCOUNT_ZONE and zone_named(self.timezone) is None:
            raise ValueError(f"release window {self.id!r}: there is no time zone {self.timezone!r}")
        return self

    def is_open(self, frame: DecisionFrame) -> bool:
        """Return whether the window is open at the time of *frame*; not if the hours' time zone is not known."""
        return self._is_open_at(frame.now, self._zone(frame))

    def opens_at(self, frame: DecisionFrame) -> dt.datetime | None:
        """Return when it opens next (UTC), or None if it is open, or that can't be told."""
        zone = self._zone(frame)
        if self._is_open_at(frame.now, zone) or (self.open and zone is None):
            return None
        time = frame.now
        for _ in range(MOST_FREEZES):
            time = max([time, *(one.ends_at for one in self.freezes if one.begins_at <= time < one.ends_at)])
            if self._is_open_at(time, zone):
                return time.astimezone(dt.UTC)
            times = [one for one in self._edges(time, zone, "from_hour") if self._hours_hold(one, zone)]
            if not times:
                return None
            time = min(times)
            if self._is_open_at(time, zone):
                return time.astimezone(dt.UTC)
        return None

    def closes_at(self, frame: DecisionFrame) -> dt.datetime | None:
        """Return when it closes next (UTC); None if it never does, or is not open."""
        zone = self._zone(frame)
        if not self._is_open_at(frame.now, zone):
            return None
        ends = [
            edge for edge in self._edges(frame.now, zone, "until_hour") if not self._hours_hold(edge, zone)
        ]
        ends += [one.begins_at for one in self.freezes if one.begins_at > frame.now]
        return min(ends).astimezone(dt.UTC) if ends else None

    def _zone(self, frame: DecisionFrame) -> ZoneInfo | None:
        name = frame.text("timezone") if self.timezone == ACCOUNT_ZONE else self.timezone
        return zone_named(name) if name else None

    def _is_open_at(self, time: dt.datetime, zone: ZoneInfo | None) -> bool:
        frozen = any(one.begins_at <= time < one.ends_at for one in self.freezes)
        return not frozen and self._hours_hold(time, zone)

    def _hours_hold(self, time: dt.datetime, zone: ZoneInfo | None) -> bool:
        if not self.open:
            return True
        return zone is not None and any(one.hold(time.astimezone(zone)) for one in self.open)

    def _edges(self, time: dt.datetime, zone: ZoneInfo | None, name: str) -> Iterator[dt.datetime]:
        """Yield the begins (or ends) of open hours within the week after *time*, in UTC."""
        if zone is None:
            return
        today = time.astimezone(zone).date()
        for days in range(-1, DAYS_AHEAD):
            for hours in self.open:
                midnight = dt.datetime.combine(today + dt.timedelta(days=days), dt.time(), zone)
                edge = (midnight + dt.timedelta(hours=getattr(hours, name))).astimezone(dt.UTC)
                if edge > time:
                    yield edge
