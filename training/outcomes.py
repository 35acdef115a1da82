"""What happened to accounts after a cutoff, as values: days to the event, and how far the data can tell.

From these two numbers follow both the intervals that hazards are trained on and the yes or no per horizon that models
are judged by. `training.labels` reads them off subscriptions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.definitions import Definitions, HeadName


def days_until(cutoff: NDArray[np.datetime64], day: dt.date | np.datetime64) -> NDArray[np.float64]:
    """Return days from each *cutoff*, shape (n,), to *day*, below 0 where that came before; shape (n,)."""
    return (np.asarray(day, dtype="datetime64[D]") - cutoff).astype("timedelta64[D]").astype(np.float64)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Hazard intervals of n rows; arrays of shape (n, k), interval j ends before horizon j.

    Attributes:
        at_risk: No event before the interval's start.
        event: The event happened in the interval.
        observed: The data reaches far enough past the interval's end to tell.
    """

    at_risk: NDArray[np.bool_]
    event: NDArray[np.bool_]
    observed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of n accounts at risk at a cutoff, ordered by account and cutoff.

    Attributes:
        account_id: Shape (n,), object.
        cutoff: Shape (n,), `datetime64[D]`; the moment is 00:00 UTC of that day.
        event_days: Per head, shape (n,): days from cutoff to the event, infinite if none is in the data.
        observed_days: Per head, shape (n,): days from the cutoff through which the data can tell.
        horizons_days: Interval ends.
        withheld_accounts: Accounts left out because `consent_training` is false.
    """

    account_id: NDArray[np.object_]
    cutoff: NDArray[np.datetime64]
    event_days: dict[HeadName, NDArray[np.float64]]
    observed_days: dict[HeadName, NDArray[np.float64]]
    horizons_days: tuple[int, ...]
    withheld_accounts: int

    def __len__(self) -> int:
        return len(self.account_id)

    def intervals(self, head: HeadName) -> Intervals:
        """Return the hazard intervals of *head*."""
        ends = np.asarray(self.horizons_days, dtype=np.float64)[None, :]
        starts = np.concatenate([np.zeros((1, 1)), ends[:, :-1]], axis=1)
        days = self.event_days[head][:, None]
        return Intervals(
            at_risk=days >= starts,
            event=(days >= starts) & (days < ends),
            observed=self.observed_days[head][:, None] >= ends,
        )

    def outcome(self, head: HeadName, horizon_days: int) -> NDArray[np.float64]:
        """Return 1 where the event came within the horizon, 0 where it did not, NaN where that isn't known yet."""
        happened = (self.event_days[head] < horizon_days).astype(np.float64)
        return np.where(self.observed_days[head] >= horizon_days, happened, np.nan)

    def days_until(self, day: dt.date | np.datetime64) -> NDArray[np.float64]:
        """Return days from each cutoff to *day*, below 0 where that came before; shape (n,)."""
        return days_until(self.cutoff, day)

    def happened(self, head: HeadName) -> NDArray[np.bool_]:
        """Return whether the event of *head* came while the data could tell, shape (n,)."""
        return self.event_days[head] < self.observed_days[head]

    def at_cutoffs(self, cutoffs: Sequence[dt.date]) -> NDArray[np.bool_]:
        """Return which rows stand at one of *cutoffs*, shape (n,)."""
        return np.isin(self.cutoff, np.array(cutoffs, dtype="datetime64[D]"))

    def known_by(self, day: dt.date, definitions: Definitions) -> Labels:
        """Return the labels as they could be told when *day* began; what came later is censored.

        Args:
            day: First day of which nothing is known.
            definitions: Says how long after an interval's end its label is known.
        """
        reach = self.days_until(day)
        return replace(
            self,
            observed_days={
                head: np.minimum(days, reach - definitions.label_days(head))
                for head, days in self.observed_days.items()
            },
        )

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Labels:
        """Return the labels of *rows* (a mask or positions)."""
        return Labels(
            account_id=self.account_id[rows],
            cutoff=self.cutoff[rows],
            event_days={head: days[rows] for head, days in self.event_days.items()},
            observed_days={head: days[rows] for head, days in self.observed_days.items()},
            horizons_days=self.horizons_days,
            withheld_accounts=self.withheld_accounts,
        )
