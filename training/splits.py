"""Which cutoffs exist, and which part of the time split each belongs to.

Parts follow one another in time. Between the last cutoff of a part and the first of the next lies an embargo as long as
the longest label window, so that no label of one part is decided by what happens in another.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.bundle.manifest import TrainingWindow
from training.errors import TooLittleDataError

if TYPE_CHECKING:
    from training.definitions import Definitions

_PARTS = 3


@dataclass(frozen=True, slots=True)
class Split:
    """Cutoffs of each part, each in order.

    Attributes:
        train: Cutoffs for fitting while configuration and calibration are chosen.
        validation: Cutoffs for early stopping, choice and calibration.
        test: Cutoffs for the reported figures, used for nothing else. The longest horizon isn't known yet at the last.
        refit: Cutoffs that the final boosters may be trained on: all whose label windows end before the test.
        embargo_days: Days from a part's last cutoff to the next part's first, at least.
        label_end: First day on which nothing is known any more.
    """

    train: tuple[dt.date, ...]
    validation: tuple[dt.date, ...]
    test: tuple[dt.date, ...]
    refit: tuple[dt.date, ...]
    embargo_days: int
    label_end: dt.date

    @property
    def cutoffs(self) -> tuple[dt.date, ...]:
        """All cutoffs of any part, in order."""
        return tuple(sorted({*self.train, *self.validation, *self.test, *self.refit}))

    @property
    def window(self) -> TrainingWindow:
        """First and last cutoff of each part, as the manifest states them."""
        return TrainingWindow(
            train=(self.train[0], self.train[-1]),
            validation=(self.validation[0], self.validation[-1]),
            test=(self.test[0], self.test[-1]),
            embargo_days=self.embargo_days,
            label_end=self.label_end,
        )


def split_by_time(first_day: dt.date, end_day: dt.date, definitions: Definitions) -> Split:
    """Lay cutoffs over the data and divide them in time.

    Cutoffs stand `cutoff_every_days` apart: on `test_from` if it is given, else so that the label of the shortest
    horizon of the last one is just known. A test cutoff needs the label of the shortest horizon, so that the longer
    ones are judged on fewer cutoffs.

    Args:
        first_day: First day of the data.
        end_day: Last complete day of the data.
        definitions: Horizons, grace days, shares or dates.

    Raises:
        TooLittleDataError: A part has no cutoff; the message says how many days of data would be enough.
    """
    rules = definitions.split
    embargo = definitions.embargo_days
    step = rules.cutoff_every_days
    label_end = end_day + dt.timedelta(days=1)
    earliest = first_day + dt.timedelta(days=rules.warm_up_days)
    latest = label_end - dt.timedelta(days=definitions.horizons_days[0] + definitions.churn.grace_days)
    grid = _grid(earliest, latest, step, rules.test_from or latest)
    full = [day for day in grid if day + dt.timedelta(days=embargo) <= label_end]
    skipped = max(0, -(-embargo // step) - 1)
    share = max(_PARTS, len(full) - 2 * skipped)
    test_from = rules.test_from or _first_of_last(full, max(1, round(share * rules.test_fraction)))
    before_test = [day for day in full if test_from and day + dt.timedelta(days=embargo) <= test_from]
    validation_from = rules.validation_from or _first_of_last(
        before_test, max(1, round(share * rules.validation_fraction))
    )
    validation = [day for day in before_test if validation_from and day >= validation_from]
    train = [day for day in before_test if validation and day + dt.timedelta(days=embargo) <= validation[0]]
    test = [day for day in grid if test_from and day >= test_from]
    if not (train and validation and test and any(day in full for day in test)):
        needed = rules.warm_up_days + 3 * embargo + 3 * step
        raise TooLittleDataError(
            f"the data from {first_day} to {end_day} ({(label_end - first_day).days} days) leaves {len(train)} training, "
            f"{len(validation)} validation and {sum(day in full for day in test)} fully labelled test cutoffs, with an "
            f"embargo of {embargo} days between parts and a cutoff every {step} days. {needed} days are enough; shorter "
            "horizons, fewer warm-up days or closer cutoffs (`split` in the definitions) need less."
        )
    return Split(
        train=tuple(train),
        validation=tuple(validation),
        test=tuple(test),
        refit=tuple(before_test) if rules.refit_on_validation else tuple(train),
        embargo_days=embargo,
        label_end=label_end,
    )


def _grid(earliest: dt.date, latest: dt.date, step: int, anchor: dt.date) -> list[dt.date]:
    offset = (anchor - earliest).days % step
    first = earliest + dt.timedelta(days=offset)
    count = max(0, (latest - first).days // step + 1)
    return [first + dt.timedelta(days=step * index) for index in range(count)]


def _first_of_last(days: list[dt.date], count: int) -> dt.date | None:
    return days[-min(count, len(days))] if days else None
