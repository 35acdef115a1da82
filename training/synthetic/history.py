"""The past of a block of accounts: beginnings, trials, changes, ends and returns, day by day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from training.synthetic.dynamics import TERM_DAYS, Day, step
from training.synthetic.periods import PeriodBook
from training.synthetic.state import State, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.synthetic.accounts import Population
    from training.synthetic.calendar import Calendar

TRIAL_DAYS = 14
RETURN_CHANCE = 0.15
RETURN_AFTER_DAYS = 95
"""A returning account stays away longer than any outcome window, so that 'left within 90 days' stays true."""

_RETURN_MEAN_DAYS = 60.0


@dataclass(frozen=True, slots=True)
class TreatmentDraw:
    """One draw of the treatment policy, with the state at the end of its day before effects are set."""

    account: int
    day: int
    action: int
    treated: bool
    propensity: float
    effect_churn: float
    effect_upsell: float
    mrr: float


@dataclass(slots=True)
class History:
    """What happened to a block of n accounts; matrices have shape (n, days).

    Attributes:
        active: Days on which the product could be used (trial or paid).
        paying: Days paid for.
        health: Latent health.
        log_users: Log of the number of people who would use the product.
        log_storage: Log of GB stored.
        plan: Rank of the plan.
        seats: Seats.
        mrr: MRR of the day's period.
        issued: Whether an invoice was issued.
        late: Whether an invoice that was issued that day was not paid in time.
        resolved: Whether the overdue invoices were paid.
        left: Whether a paid subscription ended with the day.
        expanded: Whether plan or seats grew with the day.
        onboarded_day: Day on which onboarding was completed, -1 if not in the history; shape (n,).
        book: The subscription periods.
        treatments: Draws of the treatment policy, in order of day and account.
        treatment_states: State of each draw's account at the end of its day, one entry a draw.
        snapshots: Per month end the day, the accounts that paid, and their state.
    """

    active: NDArray[np.bool_]
    paying: NDArray[np.bool_]
    health: NDArray[np.float64]
    log_users: NDArray[np.float64]
    log_storage: NDArray[np.float64]
    plan: NDArray[np.int64]
    seats: NDArray[np.int64]
    mrr: NDArray[np.float64]
    issued: NDArray[np.bool_]
    late: NDArray[np.bool_]
    resolved: NDArray[np.bool_]
    left: NDArray[np.bool_]
    expanded: NDArray[np.bool_]
    onboarded_day: NDArray[np.int64]
    book: PeriodBook
    treatments: list[TreatmentDraw] = field(default_factory=list)
    treatment_states: list[State] = field(default_factory=list)
    snapshots: list[tuple[int, NDArray[np.int64], State]] = field(default_factory=list)


class _Run:
    """The history while it is being made."""

    def __init__(self, population: Population, calendar: Calendar, rng: np.random.Generator) -> None:
        n, days = population.size, calendar.days
        self.population, self.calendar, self.rng = population, calendar, rng
        self.state = population.first_state.take(np.arange(n))
        self.trial_ends = np.full(n, -1, dtype=np.int64)
        self.returns = np.full(n, -1, dtype=np.int64)
        self.active = self.state.paying.copy()
        self.book = PeriodBook(population, calendar)

        def flags() -> NDArray[np.bool_]:
            return np.zeros((n, days), dtype=np.bool_)

        def numbers() -> NDArray[np.float64]:
            return np.zeros((n, days))

        def counts() -> NDArray[np.int64]:
            return np.zeros((n, days), dtype=np.int64)

        self.history = History(
            active=flags(),
            paying=flags(),
            health=numbers(),
            log_users=numbers(),
            log_storage=numbers(),
            plan=counts(),
            seats=counts(),
            mrr=numbers(),
            issued=flags(),
            late=flags(),
            resolved=flags(),
            left=flags(),
            expanded=flags(),
            onboarded_day=np.full(n, -1, dtype=np.int64),
            book=self.book,
        )
        for account in np.flatnonzero(population.first_day < 0):
            self.book.open_with_past(int(account), self.state)

    def start_paying(self, account: int, day: int, started_us: int) -> None:
        state = self.state
        state.paying[account] = self.active[account] = True
        state.paid_from[account] = day
        state.term_end[account] = day + TERM_DAYS if self.population.annual[account] else np.inf
        state.next_treatment[account] = day + TRIAL_DAYS
        self.book.open(account, state, started_us, term_end=float(state.term_end[account]))

    def begin(self, day: int) -> None:
        """Let accounts begin, trials end and lost accounts return in the morning of *day*."""
        population, state, morning = self.population, self.state, int(self.calendar.at(day))
        for account in map(int, np.flatnonzero(population.first_day == day)):
            index = np.array([account])
            for name in State.__dataclass_fields__:
                getattr(state, name)[index] = getattr(population.first_state, name)[index]
            created = int(population.created_us[account])
            if population.begins_with_trial[account]:
                self.active[account] = True
                self.trial_ends[account] = day + TRIAL_DAYS
                self.book.open(account, state, created, term_end=day + TRIAL_DAYS, is_trial=True)
            else:
                self.start_paying(account, day, created)
        chances = self.rng.random(population.size)
        for account in map(int, np.flatnonzero(self.trial_ends == day)):
            converts = chances[account] < 1.0 / (1.0 + np.exp(-0.9 - 0.9 * state.health[account]))
            self.book.close(account, morning, "renewal" if converts else "voluntary")
            self.active[account] = False
            if converts:
                self.start_paying(account, day, morning)
        for account in map(int, np.flatnonzero(self.returns == day)):
            state.health[account] = population.traits.health_mean[account] + 0.4
            state.unpaid_due[account] = np.inf
            self.start_paying(account, day, morning)

    def record(self, day: int) -> None:
        """Write down what holds during *day*."""
        history, state = self.history, self.state
        history.active[:, day] = self.active
        history.paying[:, day] = state.paying
        history.plan[:, day] = state.plan
        history.seats[:, day] = state.seats
        history.mrr[:, day] = self.book.mrr

    def close(self, day: int, what: Day) -> None:
        """Write down what the day brought, and end, change and renew periods with it."""
        history, state = self.history, self.state
        history.health[:, day] = state.health
        history.log_users[:, day] = state.log_users
        history.log_storage[:, day] = state.log_storage
        history.issued[what.issued, day] = True
        history.late[what.late, day] = True
        history.resolved[what.resolved, day] = True
        ready = what.onboarded[self.active[what.onboarded]]
        history.onboarded_day[ready] = day
        self._treatments(day, what)
        last = day == self.calendar.days - 1
        changes = (
            ()
            if last
            else ((what.expanded, "upgrade"), (what.shrunk, "downgrade"), (what.renewed, "renewal"))
        )
        changed: set[int] = set(map(int, what.left))
        for index, reason in changes:
            for account in map(int, index):
                if account not in changed:
                    changed.add(account)
                    self.book.change(account, state, day, reason)
                    history.expanded[account, day] = reason == "upgrade"
        chances = self.rng.random((3, self.population.size))
        for account in map(int, what.left):
            unpaid = chances[0, account] * what.churn[account] < what.nonpayment[account]
            self.book.close(account, int(self.calendar.at(day + 1)), "nonpayment" if unpaid else "voluntary")
            history.left[account, day] = True
            state.paying[account] = self.active[account] = False
            if chances[1, account] < RETURN_CHANCE:
                away = RETURN_AFTER_DAYS - _RETURN_MEAN_DAYS * np.log1p(-chances[2, account])
                self.returns[account] = day + int(away)

    def _treatments(self, day: int, what: Day) -> None:
        arrivals = what.treatments
        for k, account in enumerate(map(int, arrivals.index)):
            self.history.treatments.append(
                TreatmentDraw(
                    account=account,
                    day=day,
                    action=int(arrivals.action[k]),
                    treated=bool(arrivals.treated[k]),
                    propensity=float(arrivals.propensity[k]),
                    effect_churn=float(arrivals.effect_churn[k]),
                    effect_upsell=float(arrivals.effect_upsell[k]),
                    mrr=float(self.book.mrr[account]),
                )
            )
        if arrivals.index.size:
            self.history.treatment_states.append(self.state.take(arrivals.index))


def simulate(
    population: Population, calendar: Calendar, impact: NDArray[np.float64], rng: np.random.Generator
) -> History:
    """Simulate the days of *calendar* for a block of accounts.

    Changes of plan or seats on the very last day would begin after the end of data and are not written.

    Args:
        population: The n accounts.
        calendar: The days.
        impact: Fall in health by incidents, shape (n, days).
        rng: The block's stream for this purpose.
    """
    run = _Run(population, calendar, rng)
    month_ends = set(calendar.month_ends())
    for day in range(calendar.days):
        run.begin(day)
        run.record(day)
        what = step(
            population.traits, run.state, day, calendar, draw(rng, population.size), impact=impact[:, day]
        )
        run.close(day, what)
        if day in month_ends:
            accounts = np.flatnonzero(run.state.paying)
            run.history.snapshots.append((day, accounts, run.state.take(accounts)))
    return run.history
