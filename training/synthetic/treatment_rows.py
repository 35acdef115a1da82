"""The `treatments` table: every draw of the past policy with its arm, its chance and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from training.synthetic.calendar import HOUR_US, Calendar
from training.synthetic.treatments import ACTIONS, OUTCOME_DAYS
from training.synthetic.truth import treatment_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.synthetic.accounts import Population
    from training.synthetic.history import History

_TIME = pa.timestamp("us", "UTC")


def treatment_table(
    population: Population, history: History, calendar: Calendar, rng: np.random.Generator
) -> pa.Table:
    """Return the `treatments` table of a block.

    `propensity` is the chance of the arm that was drawn. Outcomes are those of the 90 days after the day of
    treatment and are null while these have not passed.
    """
    draws = sorted(history.treatments, key=lambda draw: (draw.account, draw.day))
    m = len(draws)
    account = np.array([draw.account for draw in draws], dtype=np.int64)
    day = np.array([draw.day for draw in draws], dtype=np.int64)
    treated = np.array([draw.treated for draw in draws], dtype=np.bool_)
    chance = np.array([draw.propensity for draw in draws], dtype=np.float64)
    mrr = np.array([draw.mrr for draw in draws], dtype=np.float64)
    open_ = day + 1 + OUTCOME_DAYS >= calendar.days
    last = np.minimum(day + OUTCOME_DAYS, calendar.days - 1)
    left = _counted(history.left, account, day, last)
    expanded = _counted(history.expanded, account, day, last)
    then = np.where(left > 0, 0.0, _mrr_after(history, account, last))
    return pa.table(
        {
            "treatment_id": pa.array(
                [treatment_id(population.ids[a], d) for a, d in zip(account, day, strict=True)], pa.string()
            ),
            "account_id": pa.array([population.ids[a] for a in account], pa.string()),
            "treated_at": pa.array(
                calendar.at(day) + (rng.uniform(8, 20, m) * HOUR_US).astype(np.int64)
            ).cast(_TIME),
            "action": pa.array([ACTIONS[draw.action] for draw in draws], pa.string()),
            "arm": pa.array(["treated" if t else "held_out" for t in treated], pa.string()),
            "propensity": pa.array(np.round(np.where(treated, chance, 1.0 - chance), 6)),
            "outcome_at": pa.array(calendar.at(day + 1 + OUTCOME_DAYS), mask=open_).cast(_TIME),
            "outcome_retained": pa.array(left == 0, mask=open_),
            "outcome_expanded": pa.array(expanded > 0, mask=open_),
            "outcome_extra_mrr": pa.array(np.round(then - mrr, 2), mask=open_),
        }
    )


def _counted(
    flags: NDArray[np.bool_],
    account: NDArray[np.int64],
    day: NDArray[np.int64],
    last: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return how many *flags* are set after *day* and up to *last*, shape (m,)."""
    total = np.cumsum(flags, axis=1, dtype=np.int64)
    return np.asarray(total[account, last] - total[account, day])


def _mrr_after(
    history: History,
    account: NDArray[np.int64],
    last: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the MRR on the day after *last*, when the changes of that day hold; shape (m,)."""
    following = np.minimum(last + 1, history.mrr.shape[1] - 1)
    return np.asarray(history.mrr[account, following])
