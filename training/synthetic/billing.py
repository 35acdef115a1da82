"""The `invoices` table: issued by the calendar, paid in time, late, after a dispute, or never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from training.synthetic.calendar import DAY_US, HOUR_US, Calendar
from training.synthetic.dynamics import DUE_DAYS
from training.synthetic.plans import CURRENCY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.synthetic.accounts import Population
    from training.synthetic.history import History

_TIME = pa.timestamp("us", "UTC")
_DISPUTE_CHANCE_LATE = 0.12
_DISPUTE_CHANCE = 0.004
_RETRY_DAYS = 5
_MOST_ATTEMPTS = 6


def invoice_table(
    population: Population, history: History, calendar: Calendar, rng: np.random.Generator
) -> pa.Table:
    """Return the `invoices` table of a block: what was due in the history, by account and day.

    Overdue invoices are paid together on the day on which the history resolves them; those of accounts that
    ended without that stay unpaid. Times after the end of data are left null.
    """
    account, day = np.nonzero(history.issued)
    m = account.size
    late = history.late[account, day]
    issued = calendar.at(day) + (rng.uniform(6, 9, m) * HOUR_US).astype(np.int64)
    due = issued + DUE_DAYS * DAY_US
    prompt = issued + ((0.05 + 0.95 * rng.beta(1.6, 1.8, m)) * DUE_DAYS * DAY_US).astype(np.int64)
    settled = _next_resolved(history.resolved)[account, day]
    settled_us = calendar.at(np.maximum(settled, 0)) + (rng.uniform(8, 17, m) * HOUR_US).astype(np.int64)
    paid = np.where(late, settled_us, prompt)
    unpaid = (late & (settled < 0)) | (paid > calendar.end_us)
    disputed = rng.random(m) < np.where(late, _DISPUTE_CHANCE_LATE, _DISPUTE_CHANCE)
    disputed_us = issued + (rng.uniform(1, 12, m) * DAY_US).astype(np.int64)
    disputed &= (disputed_us < calendar.end_us) & (unpaid | (disputed_us < paid))
    until = np.where(unpaid, calendar.end_us, paid)
    attempts = np.where(
        late, np.clip(1 + np.maximum(until - due, 0) // (_RETRY_DAYS * DAY_US), 1, _MOST_ATTEMPTS), ~unpaid
    )
    amount = np.round(history.mrr[account, day] * population.bill_months[account], 2)
    return pa.table(
        {
            "invoice_id": pa.array(
                [f"{population.ids[a]}-i{d:04d}" for a, d in zip(account, day, strict=True)], pa.string()
            ),
            "account_id": pa.array([population.ids[a] for a in account], pa.string()),
            "issued_at": pa.array(issued).cast(_TIME),
            "due_at": pa.array(due).cast(_TIME),
            "paid_at": pa.array(paid, mask=unpaid).cast(_TIME),
            "amount": pa.array(amount),
            "currency": pa.array([CURRENCY] * m, pa.string()),
            "disputed_at": pa.array(disputed_us, mask=~disputed).cast(_TIME),
            "attempts": pa.array(attempts.astype(np.int64)),
        }
    )


def _next_resolved(resolved: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each account and day the next day with *resolved*, or -1; shape (n, days)."""
    n, days = resolved.shape
    following = np.full((n, days), -1, dtype=np.int64)
    ahead = np.full(n, -1, dtype=np.int64)
    for day in range(days - 1, -1, -1):
        ahead = np.where(resolved[:, day], day, ahead)
        following[:, day] = ahead
    return following
