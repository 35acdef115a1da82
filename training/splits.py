"""Which cutoffs exist, and which part of the time split each belongs to.

Parts follow one another in time, and each is labelled as on the day on which the next begins: what was not yet known
then is censored. So every horizon has an embargo of its own length and the grace days, no label of one part is
decided by what happens in another, and a part trains on all that somebody could have known on that day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.bundle.manifest import TrainingWindow
from training.errors import TooLittleDataError

if TYPE_CHECKING:
    from training.definitions import Definitions

_TRIED_PARTS = 6
"""How many label windows and steps more than the estimate are tried before no number of days is called enough."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the split.

    Attributes:
        cutoffs: Its cutoffs in order.
        known_by: The first day of which nothing is known for labels of this part.
    """

    cutoffs: tuple[dt.date, ...]
    known_by: dt.date


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of the time split.

    Attributes:
        train: For fitting while rounds and calibration are chosen.
        validation: For early stopping, thresholds and calibration.
        test: For the reported figures, used for nothing else.
        refit: What the final boosters are fitted to: all that was known when the test begins, or the training part.
        embargo_days: Days from a part's last cutoff to the next part's first, at least: the shortest horizon and the
            grace days. A longer horizon's label is used only where it, too, was known by then.
    """

    train: Part
    validation: Part
    test: Part
    refit: Part
    embargo_days: int

    @property
    def cutoffs(self) -> tuple[dt.date, ...]:
        """All cutoffs of any part, in order."""
        parts = (self.train, self.validation, self.test, self.refit)
        return tuple(sorted({day for part in parts for day in part.cutoffs}))

    @property
    def window(self) -> TrainingWindow:
        """First and last cutoff of each part, as the manifest states them."""
        return TrainingWindow(
            train=(self.train.cutoffs[0], self.train.cutoffs[-1]),
            validation=(self.validation.cutoffs[0], self.validation.cutoffs[-1]),
            test=(self.test.cutoffs[0], self.test.cutoffs[-1]),
            embargo_days=self.embargo_days,
            label_end=self.test.known_by,
        )


def split_by_time(first_day: dt.date, end_day: dt.date, definitions: Definitions) -> Split:
    """Lay cutoffs over the data and divide them in time.

    Cutoffs stand `cutoff_every_days` apart: on `test_from` if it is given, else so that the label of the shortest
    horizon of the last one is just known. Shares count cutoffs whose longest horizon is known.

    Args:
        first_day: First day of the data.
        end_day: Last complete day of the data.
        definitions: Horizons, grace days, shares or dates.

    Raises:
        TooLittleDataError: A part has no cutoff whose labels are known for every horizon; the message says how many
            days of data are enough.
    """
    split, fully = _laid(first_day, end_day, definitions)
    if split is None:
        rules = definitions.split
        longest = _longest(definitions)
        enough = _enough_days(first_day, end_day, definitions)
        remedy = (
            f"{enough} days are enough; shorter horizons, fewer warm-up days or closer cutoffs (`split` in the "
            "definitions) need less."
            if enough is not None
            else "No more days after the last would do; give other dates (`validation_from`, `test_from`)."
        )
        raise TooLittleDataError(
            f"the data from {first_day} to {end_day} ({(end_day - first_day).days + 1} days) leaves "
            + ", ".join(f"{count} {part}" for part, count in fully.items())
            + f" cutoffs of which all horizons are known, with a label window of {longest} days and a cutoff every "
            f"{rules.cutoff_every_days} days. {remedy}"
        )
    return split


def _longest(definitions: Definitions) -> int:
    """Return the days from a cutoff until its longest label is known."""
    return definitions.horizons_days[-1] + definitions.churn.grace_days


def _enough_days(first_day: dt.date, end_day: dt.date, definitions: Definitions) -> int | None:
    """Return a number of days with which the split succeeds, tried out; None if none was found."""
    rules, longest = definitions.split, _longest(definitions)
    have = (end_day - first_day).days + 1
    room = longest + rules.cutoff_every_days
    start = max(have + 1, rules.warm_up_days + 3 * room)
    if rules.test_from is not None:
        start = max(have + 1, (rules.test_from - first_day).days + longest)
    for days in range(start, start + _TRIED_PARTS * room + 1):
        if _laid(first_day, first_day + dt.timedelta(days=days - 1), definitions)[0] is not None:
            return days
    return None


def _laid(
    first_day: dt.date, end_day: dt.date, definitions: Definitions
) -> tuple[Split | None, dict[str, int]]:
    """Return the split, or None if a part lacks a fully labelled cutoff, and how many of those each part has."""
    rules = definitions.split
    step = rules.cutoff_every_days
    longest = _longest(definitions)
    shortest = definitions.horizons_days[0] + definitions.churn.grace_days
    label_end = end_day + dt.timedelta(days=1)
    latest = label_end - dt.timedelta(days=shortest)
    grid = _grid(first_day + dt.timedelta(days=rules.warm_up_days), latest, step, rules.test_from or latest)

    def known(days: list[dt.date], by: dt.date | None, window: int) -> list[dt.date]:
        return [day for day in days if by is not None and day + dt.timedelta(days=window) <= by]

    full = known(grid, label_end, longest)
    share = max(1, len(full) - 2 * (longest // step))
    test_from = rules.test_from or _first_of_last(full, round(share * rules.test_fraction))
    full_before = known(grid, test_from, longest)
    validation_from = rules.validation_from or _first_of_last(
        full_before, round(share * rules.validation_fraction)
    )
    test = [day for day in grid if test_from and day >= test_from]
    before = known(grid, test_from, shortest)
    validation = [day for day in before if validation_from and day >= validation_from]
    train = known(grid, validation_from, shortest)
    fully = {
        "training": len(known(train, validation_from, longest)),
        "validation": len(known(validation, test_from, longest)),
        "test": len(known(test, label_end, longest)),
    }
    if test_from is None or validation_from is None or not all(fully.values()):
        return None, fully
    trained = Part(tuple(train), validation_from)
    split = Split(
        train=trained,
        validation=Part(tuple(validation), test_from),
        test=Part(tuple(test), label_end),
        refit=Part(tuple(before), test_from) if rules.refit_on_validation else trained,
        embargo_days=shortest,
    )
    return split, fully


def _grid(earliest: dt.date, latest: dt.date, step: int, anchor: dt.date) -> list[dt.date]:
    first = earliest + dt.timedelta(days=(anchor - earliest).days % step)
    count = max(0, (latest - first).days // step + 1)
    return [first + dt.timedelta(days=step * index) for index in range(count)]


def _first_of_last(days: list[dt.date], count: int) -> dt.date | None:
    return days[-max(1, min(count, len(days)))] if days else None
