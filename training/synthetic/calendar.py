"""Time and place: days as numbers, regions with time zones and weekends, and the seasons of usage."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
HORIZON_MARGIN = 120
"""Days that the calendar knows beyond the end of data, for looking into simulated futures."""


@dataclass(frozen=True, slots=True)
class Place:
    """A time zone with a usual locale and its usual offset from UTC in hours."""

    timezone: str
    locale: str
    utc_offset_hours: float


@dataclass(frozen=True, slots=True)
class Region:
    """A sales region.

    Attributes:
        key: Value in `accounts.region`.
        share: Share of accounts.
        weekend: Python weekday numbers (Monday is 0) of the weekend.
        summer_dip: Centre (day of year) and depth of the summer holidays.
        year_end_dip: Depth of the holidays from 24 December to 2 January.
        places: Where accounts sit.
    """

    key: str
    share: float
    weekend: tuple[int, ...]
    summer_dip: tuple[int, float]
    year_end_dip: float
    places: tuple[Place, ...]


REGIONS: tuple[Region, ...] = (
    Region("north_america", 0.38, (5, 6), (190, 0.08), 0.45, (
        Place("America/New_York", "en-US", -5), Place("America/Chicago", "en-US", -6),
        Place("America/Los_Angeles", "en-US", -8), Place("America/Toronto", "en-CA", -5),
        Place("America/Montreal", "fr-CA", -5))),
    Region("europe", 0.30, (5, 6), (222, 0.28), 0.55, (
        Place("Europe/Berlin", "de-DE", 1), Place("Europe/Paris", "fr-FR", 1),
        Place("Europe/London", "en-GB", 0), Place("Europe/Madrid", "es-ES", 1),
        Place("Europe/Stockholm", "sv-SE", 1), Place("Europe/Warsaw", "pl-PL", 1))),
    Region("latin_america", 0.09, (5, 6), (15, 0.18), 0.45, (
        Place("America/Sao_Paulo", "pt-BR", -3), Place("America/Mexico_City", "es-MX", -6),
        Place("America/Bogota", "es-CO", -5))),
    Region("middle_east", 0.06, (4, 5), (215, 0.15), 0.05, (
        Place("Asia/Dubai", "ar-AE", 4), Place("Asia/Riyadh", "ar-SA", 3), Place("Asia/Amman", "en-JO", 3))),
    Region("asia_pacific", 0.12, (5, 6), (40, 0.15), 0.20, (
        Place("Asia/Tokyo", "ja-JP", 9), Place("Asia/Singapore", "en-SG", 8),
        Place("Asia/Kolkata", "en-IN", 5.5), Place("Asia/Seoul", "ko-KR", 9))),
    Region("oceania", 0.05, (5, 6), (10, 0.35), 0.50, (
        Place("Australia/Sydney", "en-AU", 10), Place("Pacific/Auckland", "en-NZ", 12))),
)  # fmt: skip

INDUSTRIES: tuple[tuple[str, float, int, float], ...] = (
    ("software", 0.22, 300, 0.05),
    ("retail", 0.14, 335, 0.30),
    ("financial_services", 0.12, 355, 0.10),
    ("manufacturing", 0.12, 100, 0.06),
    ("healthcare", 0.10, 30, 0.08),
    ("education", 0.07, 265, 0.35),
    ("media", 0.07, 130, 0.08),
    ("logistics", 0.07, 325, 0.18),
    ("professional_services", 0.06, 75, 0.15),
    ("travel", 0.03, 180, 0.35),
)
"""Industry, share of accounts, day of the year on which usage peaks, and by how much."""

_YEAR = 365.25
_WEEKEND_FACTOR = 0.18
_SUMMER_WIDTH_DAYS = 18.0


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days of a world as numbers: day 0 is its first day, and negative days lie before it.

    Attributes:
        start: Date of day 0.
        days: Days of history.
        day_of_month: Shape (days + margin,).
        month: Month of the year, 1 to 12, same shape.
        season: Usage relative to its mean, shape (regions, industries, days): week, year, holidays.
    """

    start: dt.date
    days: int
    day_of_month: NDArray[np.int64]
    month: NDArray[np.int64]
    season: NDArray[np.float64]

    @property
    def epoch_day(self) -> int:
        """Days from 1970-01-01 to day 0."""
        return (self.start - dt.date(1970, 1, 1)).days

    @property
    def end_us(self) -> int:
        """End of data: microseconds from the epoch to the end of the last day."""
        return int(self.at(self.days))

    def at(self, day: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the start of *day* in microseconds from the epoch; day `d + 1` starts when day `d` ends."""
        return (np.asarray(day, dtype=np.int64) + self.epoch_day) * DAY_US

    def month_ends(self) -> tuple[int, ...]:
        """Return the days that are the last of their month, and the last day of all."""
        last = np.flatnonzero(np.diff(self.month[: self.days + 1], append=0))
        ends = {int(day) for day in last if day < self.days}
        return tuple(sorted(ends | {self.days - 1}))


def make_calendar(start: dt.date, days: int) -> Calendar:
    """Return the calendar of *days* days from *start* on."""
    dates = [start + dt.timedelta(days=offset) for offset in range(days + HORIZON_MARGIN)]
    weekday = np.array([date.weekday() for date in dates[:days]])
    day_of_year = np.array([date.timetuple().tm_yday for date in dates[:days]], dtype=np.float64)
    season = np.empty((len(REGIONS), len(INDUSTRIES), days))
    for r, region in enumerate(REGIONS):
        week = np.where(np.isin(weekday, region.weekend), _WEEKEND_FACTOR, 1.0)
        centre, depth = region.summer_dip
        distance = np.abs((day_of_year - centre + _YEAR / 2) % _YEAR - _YEAR / 2)
        summer = 1.0 - depth * np.exp(-0.5 * (distance / _SUMMER_WIDTH_DAYS) ** 2)
        holidays = np.where((day_of_year >= 358) | (day_of_year <= 2), 1.0 - region.year_end_dip, 1.0)  # noqa: PLR2004 24 Dec, 2 Jan
        for i, (_, _, peak, height) in enumerate(INDUSTRIES):
            year = 1.0 + height * np.cos(2.0 * np.pi * (day_of_year - peak) / _YEAR)
            season[r, i] = week * summer * holidays * year
    return Calendar(
        start=start,
        days=days,
        day_of_month=np.array([date.day for date in dates], dtype=np.int64),
        month=np.array([date.month for date in dates], dtype=np.int64),
        season=season,
    )
