"""Subscription periods as they open and close, and the `subscriptions` table made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from training.synthetic.dynamics import TERM_DAYS
from training.synthetic.plans import CURRENCY, PLANS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.synthetic.accounts import Population
    from training.synthetic.calendar import Calendar
    from training.synthetic.state import State

_TIME = pa.timestamp("us", "UTC")


@dataclass(slots=True)
class _Period:
    account: int
    number: int
    plan: int
    seats: int
    discount: float
    started_us: int
    term_end_us: int | None
    is_trial: bool
    ended_us: int | None = None
    end_reason: str | None = None

    @property
    def list_mrr(self) -> float:
        return PLANS[self.plan].list_mrr(self.seats)

    @property
    def mrr(self) -> float:
        return 0.0 if self.is_trial else round(self.list_mrr * (1.0 - self.discount), 2)


class PeriodBook:
    """The periods of one block of accounts, written as the history runs."""

    def __init__(self, population: Population, calendar: Calendar) -> None:
        self._population = population
        self._calendar = calendar
        self._closed: list[_Period] = []
        self._open: dict[int, _Period] = {}
        self._count: NDArray[np.int64] = np.zeros(population.size, dtype=np.int64)
        self.mrr: NDArray[np.float64] = np.zeros(population.size)
        """MRR of each account's open period, 0 without one; shape (n,)."""

    def open(
        self, account: int, state: State, started_us: int, *, term_end: float, is_trial: bool = False
    ) -> None:
        """Open a period for *account* with the plan and seats of *state*; *term_end* may be infinite."""
        period = _Period(
            account=account,
            number=int(self._count[account]),
            plan=int(state.plan[account]),
            seats=int(state.seats[account]),
            discount=float(self._population.traits.discount[account]),
            started_us=started_us,
            term_end_us=int(self._calendar.at(int(term_end))) if np.isfinite(term_end) else None,
            is_trial=is_trial,
        )
        self._count[account] += 1
        self._open[account] = period
        self.mrr[account] = period.mrr

    def close(self, account: int, ended_us: int, reason: str) -> None:
        """Close the open period of *account*."""
        period = self._open.pop(account)
        period.ended_us, period.end_reason = ended_us, reason
        self._closed.append(period)
        self.mrr[account] = 0.0

    def change(self, account: int, state: State, day: int, reason: str) -> None:
        """End the open period of *account* with *day*, and open the next as *state* has it."""
        at = int(self._calendar.at(day + 1))
        self.close(account, at, reason)
        self.open(account, state, at, term_end=float(state.term_end[account]))

    def plan_of(self, account: int) -> int:
        """Return the rank of the plan of the open period of *account*."""
        return self._open[account].plan

    def open_with_past(self, account: int, state: State) -> None:
        """Open the running period of an account that pays from before day 0, with its past renewals."""
        first = int(self._population.first_day[account])
        started = int(self._population.created_us[account])
        if not np.isfinite(state.term_end[account]):
            self.open(account, state, started, term_end=np.inf)
            return
        end = first + TERM_DAYS
        while end <= 0:
            self.open(account, state, started, term_end=end)
            started = int(self._calendar.at(end))
            self.close(account, started, "renewal")
            end += TERM_DAYS
        self.open(account, state, started, term_end=end)

    def table(self) -> pa.Table:
        """Return the `subscriptions` table of the block, by account and start."""
        periods = sorted(
            [*self._closed, *self._open.values()], key=lambda period: (period.account, period.number)
        )
        population = self._population
        plans = [PLANS[period.plan] for period in periods]
        n = len(periods)
        return pa.table(
            {
                "subscription_id": pa.array(
                    [f"{population.ids[p.account]}-s{p.number + 1:02d}" for p in periods], pa.string()
                ),
                "account_id": pa.array([population.ids[p.account] for p in periods], pa.string()),
                "plan": pa.array([plan.key for plan in plans], pa.string()),
                "seats": pa.array([p.seats for p in periods], pa.int64()),
                "mrr": pa.array([p.mrr for p in periods], pa.float64()),
                "currency": pa.array([CURRENCY] * n, pa.string()),
                "started_at": pa.array([p.started_us for p in periods], pa.int64()).cast(_TIME),
                "term_end_at": pa.array([p.term_end_us for p in periods], pa.int64()).cast(_TIME),
                "ended_at": pa.array([p.ended_us for p in periods], pa.int64()).cast(_TIME),
                "end_reason": pa.array([p.end_reason for p in periods], pa.string()),
                "is_trial": pa.array([p.is_trial for p in periods], pa.bool_()),
                "list_mrr": pa.array([p.list_mrr for p in periods], pa.float64()),
                "discount_ratio": pa.array(
                    [1.0 if p.is_trial else p.discount for p in periods], pa.float64()
                ),
                "bill_period_months": pa.array(
                    [int(population.bill_months[p.account]) for p in periods], pa.int64()
                ),
                "auto_renew": pa.array(
                    [bool(population.traits.auto_renew[p.account]) and not p.is_trial for p in periods],
                    pa.bool_(),
                ),
                "api_calls_limit_per_month": pa.array(
                    [x.api_calls_limit_per_month for x in plans], pa.float64()
                ),
                "storage_limit_gb": pa.array([x.storage_limit_gb for x in plans], pa.float64()),
                "features_available": pa.array([x.features_available for x in plans], pa.int64()),
            }
        )
