"""Accounts that leave on random days and return by the law of the synthetic world, and what win-back learns of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from tests.training.periods import Period, subscriptions
from training.definitions import DEFAULT_FILE, load_definitions
from training.labels_winback import label_departed
from training.outlook_winback import winback_of
from training.splits import Part, Split
from training.synthetic.history import RETURN_AFTER_DAYS, RETURN_CHANCE
from training.winback_rows import WinbackRows

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from training.heads.hazard import HazardHead
    from training.uncertainty.intervals import Uncertainty

DEFINITIONS = load_definitions(DEFAULT_FILE)
NAMES = ("days_since_end", "seats")
FIRST = dt.date(2024, 1, 1)
MEAN_DAYS = 60.0
"""Of what comes on top of `RETURN_AFTER_DAYS` in the synthetic world."""


def day(number: int) -> dt.date:
    """Return day *number* of the test calendar."""
    return FIRST + dt.timedelta(days=number)


SPLIT = Split(
    train=Part(tuple(day(number) for number in range(100, 400, 30)), day(500)),
    validation=Part((day(500), day(530)), day(640)),
    test=Part((day(640), day(670)), day(900)),
    refit=Part(tuple(day(number) for number in (*range(100, 400, 30), 500, 530)), day(640)),
    embargo_days=90,
)


def returned_by(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chance that an account of the synthetic world is back before *days* since its end have passed.

    A return is drawn for the morning of `int(RETURN_AFTER_DAYS + an exponential)` days after the last paid day, which
    is the day before the end.
    """
    later = np.maximum(np.ceil(days) + 1 - RETURN_AFTER_DAYS, 0.0)
    return np.asarray(RETURN_CHANCE * (1 - np.exp(-later / MEAN_DAYS)))


def true_chance(since: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Return the chance of a return within *horizon* of a cutoff at which the end was *since* + 1 days ago."""
    before, after = returned_by(since + 1), returned_by(since + 1 + horizon)
    return np.asarray((after - before) / (1 - before))


def returning_rows(accounts: int, *, chance: float = RETURN_CHANCE, seed: int = 5) -> WinbackRows:
    """Return rows of accounts that leave on random days and return as those of the synthetic world do."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(10, 800, accounts)
    away = (RETURN_AFTER_DAYS - MEAN_DAYS * np.log1p(-rng.random(accounts))).astype(int) - 1
    back = rng.random(accounts) < chance
    periods = []
    for number in range(accounts):
        name, end = f"a{number:05}", int(ends[number])
        periods.append(Period(FIRST.isoformat(), day(end).isoformat(), account=name))
        if back[number]:
            periods.append(Period(day(end + int(away[number])).isoformat(), None, account=name))
    cutoffs = (*SPLIT.refit.cutoffs, *SPLIT.test.cutoffs)
    labels = label_departed(subscriptions(*periods), cutoffs, end_day=day(899), definitions=DEFINITIONS)
    numbers = np.array([int(name[1:]) for name in labels.account_id.tolist()], dtype=np.intp)
    at = (labels.cutoff - np.datetime64(FIRST)).astype(np.int64)
    since = (at - 1 - ends[numbers]).astype(np.float64)
    return WinbackRows(labels, np.column_stack([since, rng.lognormal(5, 1, len(since))]), 0)


def trained(
    rows: WinbackRows | None, *, names: tuple[str, ...] = NAMES
) -> tuple[HazardHead | None, Uncertainty | None, dict[str, Any]]:
    """Return what comes of training on *rows*."""
    return winback_of(
        rows,
        SPLIT,
        definitions=DEFINITIONS,
        feature_names=names,
        seed=7,
        num_threads=1,
        samples=50,
        progress=lambda _: None,
    )
