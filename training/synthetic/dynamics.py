"""The world's law of motion: one day of latent health, demand, payment, churn and expansion.

The history is one path of it; the truth files are the mean over many paths of the very same functions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from training.synthetic import treatments as policy
from training.synthetic.calendar import Calendar
from training.synthetic.incidents import HIT_RATE, impact_of
from training.synthetic.plans import LOG_API_LIMIT, LOG_STORAGE_LIMIT, SEATS_INCLUDED, SEATS_MAX, TOP_PLAN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HEALTH_REVERSION = 0.008
HEALTH_NOISE = 0.06
ONBOARDED_LIFT = 0.35
SHOCK_RATE = 1 / 300
WINDFALL_RATE = 1 / 400
ONBOARDING_RATE = 0.03
DUE_DAYS = 14
RESOLVE_RATE = 0.09
NONPAYMENT_AFTER_DAYS = 20
NONPAYMENT_RATE = 0.025
RENEWAL_WINDOW_DAYS = 30
TERM_DAYS = 365
FIRST_EXPANSION_DAY = 14
CHURN_PER_HEALTH = 1.8
UPSELL_PER_HEALTH = 0.5
UPSELL_PER_LOG_LIMIT = 2.8

_CHURN_LEVEL = -8.75
_UPSELL_LEVEL = -6.9
_DOWNGRADE_RATE = 0.0006
_DOWNGRADE_BELOW = float(np.log(0.45))
_LOG_LIMIT_RANGE = (-1.6, 0.35)
_MOST_LOG_ODDS = -1.0
_ONE = 1.0 - 2.0**-53


@dataclass(slots=True)
class _Rows:
    """A value with one entry an account (or path) in every field."""

    def take(self, index: Ints) -> Self:
        """Return copies of the entries at *index*, which may repeat."""
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(slots=True)
class Traits(_Rows):
    """What never changes about an account; shape (n,) each, `persuadability` (n, actions)."""

    segment: Ints
    region: Ints
    industry: Ints
    health_mean: Floats
    growth_per_day: Floats
    log_employees: Floats
    log_api_per_user: Floats
    storage_growth_per_day: Floats
    discount: Floats
    churn_offset: Floats
    upsell_offset: Floats
    late_rate: Floats
    bill_day: Ints
    bill_month: Ints
    auto_renew: Bools
    seat_step: Floats
    persuadability: Floats


@dataclass(slots=True)
class State(_Rows):
    """What changes from day to day; shape (n,) each. Days are world days, infinite where there is none."""

    paying: Bools
    health: Floats
    onboarded: Bools
    log_users: Floats
    log_storage: Floats
    plan: Ints
    seats: Ints
    log_seats: Floats
    log_api_limit: Floats
    log_storage_limit: Floats
    paid_from: Floats
    term_end: Floats
    unpaid_due: Floats
    effect_churn: Floats
    effect_upsell: Floats
    effect_until: Floats
    next_treatment: Floats


@dataclass(frozen=True, slots=True)
class Draws:
    """A day's randomness, shape (n,) each: one standard normal, three uniform on [0, 1).

    A day takes the same number of random values whatever happens, so that two runs can share their randomness.
    """

    noise: Floats
    jump: Floats
    event: Floats
    payment: Floats


def draw(rng: np.random.Generator, n: int) -> Draws:
    """Draw a day for *n* accounts."""
    return Draws(rng.standard_normal(n), rng.random(n), rng.random(n), rng.random(n))


def draw_mirrored(rng: np.random.Generator, n: int) -> Draws:
    """Draw a day for *n* paths, *n* even, of which each odd one mirrors the path before it (antithetic variates).

    Each path by itself follows the law; the mean of a pair has far less variance than that of two free paths.
    """
    half = draw(rng, n // 2)
    values = [np.empty(n) for _ in range(4)]
    for value, part, mirror in zip(
        values, (half.noise, half.jump, half.event, half.payment), (0.0, _ONE, _ONE, _ONE), strict=True
    ):
        value[0::2] = part
        value[1::2] = mirror - part
    return Draws(*values)


@dataclass(frozen=True, slots=True)
class Day:
    """What a day brought. Probabilities have shape (n,); the others are positions of accounts.

    `churn` holds voluntary ends and nonpayment together; `nonpayment` is the part that nonpayment has.
    """

    churn: Floats
    nonpayment: Floats
    upsell: Floats
    left: Ints
    expanded: Ints
    shrunk: Ints
    renewed: Ints
    onboarded: Ints
    issued: Ints
    late: Ints
    resolved: Ints
    treatments: policy.Arrivals


def limit_proximity(traits: Traits, state: State) -> Floats:
    """Return the log of the fullest limit's use (seats, API calls, storage); 0 is exactly full. Shape (n,)."""
    seats = state.log_users - state.log_seats
    api = state.log_users + traits.log_api_per_user + 0.25 * state.health - state.log_api_limit
    storage = state.log_storage - state.log_storage_limit
    return np.maximum(np.maximum(seats, api), storage)


def hazards(traits: Traits, state: State, day: int | Ints, full: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the day's probabilities of (any end, an end by nonpayment, upsell), shape (n,) each.

    Both log-odds are linear in what drives them; `full` is `limit_proximity`.
    """
    low, high = _LOG_LIMIT_RANGE
    tenure = np.maximum(day - state.paid_from, 0.0)
    late = day - state.unpaid_due
    odds_churn = (_CHURN_LEVEL + traits.churn_offset) - CHURN_PER_HEALTH * state.health
    odds_churn += 50.0 / (80.0 + tenure)
    odds_upsell = (_UPSELL_LEVEL + traits.upsell_offset) + UPSELL_PER_LOG_LIMIT * np.clip(full, low, high)
    odds_upsell += UPSELL_PER_HEALTH * state.health
    _add_rare(odds_churn, np.flatnonzero(full > 0), 0.5 * full)
    _add_rare(odds_churn, np.flatnonzero(~state.onboarded), np.broadcast_to(0.45, full.shape))
    renewing = np.flatnonzero(state.term_end - day < RENEWAL_WINDOW_DAYS)
    _add_rare(odds_churn, renewing, np.where(traits.auto_renew, 1.3, 2.1))
    _add_rare(odds_upsell, renewing, np.broadcast_to(0.5, full.shape))
    overdue = np.flatnonzero(late > 0)
    _add_rare(odds_churn, overdue, np.broadcast_to(0.6, full.shape))
    _add_rare(odds_upsell, overdue, np.broadcast_to(-1.2, full.shape))
    treated = np.flatnonzero(day <= state.effect_until)
    _add_rare(odds_churn, treated, state.effect_churn)
    _add_rare(odds_upsell, treated, state.effect_upsell)
    voluntary = _chance(odds_churn) * state.paying
    nonpayment = NONPAYMENT_RATE * (state.paying & (late > NONPAYMENT_AFTER_DAYS))
    room = (tenure >= FIRST_EXPANSION_DAY) & (state.seats < SEATS_MAX[TOP_PLAN])
    return voluntary + nonpayment - voluntary * nonpayment, nonpayment, _chance(odds_upsell) * (state.paying & room)


def _add_rare(odds: Floats, index: Ints, amount: Floats) -> None:
    odds[index] += amount[index]


def _chance(log_odds: Floats) -> Floats:
    odds = np.exp(np.minimum(log_odds, _MOST_LOG_ODDS))
    return odds / (1.0 + odds)


def step(
    traits: Traits,
    state: State,
    day: int | Ints,
    calendar: Calendar,
    draws: Draws,
    *,
    impact: Floats | None = None,
    condition_on_staying: bool = False,
) -> Day:
    """Move *state* over *day*, in place, and say what happened.

    Args:
        traits: Of n accounts or paths.
        state: Of the same; the caller applies `left`.
        day: World day, one for all or one each.
        calendar: Knows `day`.
        draws: The day's randomness.
        impact: Fall in health by the day's incidents, shape (n,); None draws incidents at their usual rates.
        condition_on_staying: Read the draws as given that the account does not leave: `left` is empty.
    """
    jump, event = draws.jump, draws.event
    mean = traits.health_mean + ONBOARDED_LIFT * state.onboarded
    state.health += HEALTH_REVERSION * (mean - state.health) + HEALTH_NOISE * draws.noise
    _jumps(state, jump, impact)
    activity = state.health / (1.0 + np.abs(state.health))
    state.log_users += traits.growth_per_day + 0.0012 * activity
    np.minimum(state.log_users, traits.log_employees, out=state.log_users)
    state.log_storage += traits.storage_growth_per_day * (1.0 + 0.5 * activity)
    ready = np.flatnonzero(jump > 1.0 - 2.0 * ONBOARDING_RATE)
    ready = ready[~state.onboarded[ready] & (jump[ready] > 1.0 - ONBOARDING_RATE * (1.0 + activity[ready]))]
    state.onboarded[ready] = True

    issued, late, resolved = _payments(traits, state, day, calendar, draws.payment)
    full = limit_proximity(traits, state)
    churn, nonpayment, upsell = hazards(traits, state, day, full)
    if condition_on_staying:
        event = churn + event * (1.0 - churn)
    left = np.flatnonzero(event < churn)
    grows = churn + upsell
    some = np.flatnonzero(event < grows + _DOWNGRADE_RATE)
    expanded = some[(event[some] >= churn[some]) & (event[some] < grows[some])]
    shrunk = some[event[some] >= grows[some]]
    shrunk = shrunk[_may_shrink(state, shrunk, full)]
    expand(traits, state, expanded)
    shrink(state, shrunk)
    renewed = np.flatnonzero(state.term_end <= day + 1)
    renewed = renewed[state.paying[renewed]]
    state.term_end[renewed] += TERM_DAYS
    arrivals = policy.arrivals(event, traits, state, limit_proximity, day)
    return Day(
        churn, nonpayment, upsell, left, expanded, shrunk, renewed, ready, issued, late, resolved, arrivals
    )


def _may_shrink(state: State, index: Ints, full: Floats) -> Bools:
    smallest = (state.plan[index] == 0) & (state.seats[index] <= SEATS_INCLUDED[0])
    return state.paying[index] & (full[index] < _DOWNGRADE_BELOW) & ~smallest


def _jumps(state: State, jump: Floats, impact: Floats | None) -> None:
    bad = np.flatnonzero(jump < SHOCK_RATE)
    state.health[bad] -= 0.5 - 0.8 * np.log1p(-jump[bad] / SHOCK_RATE)
    good = np.flatnonzero((jump >= SHOCK_RATE) & (jump < SHOCK_RATE + WINDFALL_RATE))
    state.health[good] += 0.4 - 0.4 * np.log1p(-(jump[good] - SHOCK_RATE) / WINDFALL_RATE)
    if impact is not None:
        state.health -= impact
        return
    first = SHOCK_RATE + WINDFALL_RATE
    hit = np.flatnonzero((jump >= first) & (jump < first + HIT_RATE))
    state.health[hit] -= impact_of((jump[hit] - first) / HIT_RATE)


def _payments(
    traits: Traits, state: State, day: int | Ints, calendar: Calendar, payment: Floats
) -> tuple[Ints, Ints, Ints]:
    issued = np.flatnonzero(traits.bill_day == calendar.day_of_month[day])
    issued = issued[state.paying[issued]]
    at = _at(day, issued)
    month = traits.bill_month[issued]
    this_month = (month == 0) | (month == calendar.month[at])
    issued, at = issued[this_month], at[this_month]
    unwell = np.exp(-0.35 * np.clip(state.health[issued], -2.0, 2.0))
    fails = (payment[issued] < traits.late_rate[issued] * unwell) & ~np.isfinite(state.unpaid_due[issued])
    state.unpaid_due[issued[fails]] = at[fails] + DUE_DAYS
    resolved = np.flatnonzero(payment > 1.0 - RESOLVE_RATE)
    resolved = resolved[_at(day, resolved) > state.unpaid_due[resolved]]
    late = issued[np.isfinite(state.unpaid_due[issued])]
    state.unpaid_due[resolved] = np.inf
    return issued, late, resolved


def _at(day: int | Ints, index: Ints) -> Ints:
    return np.full(index.shape, day) if isinstance(day, int) else day[index]


def expand(traits: Traits, state: State, index: Ints) -> None:
    """Give the accounts at *index* more seats, or the next plan where seats are not what is short."""
    if not index.size:
        return
    plan, seats = state.plan[index], state.seats[index]
    wanted = np.maximum(seats + 1, np.ceil(seats * traits.seat_step[index]).astype(np.int64))
    seats_short = state.log_users[index] - state.log_seats[index] >= limit_proximity(
        traits.take(index), state.take(index)
    )
    only_seats = (plan == TOP_PLAN) | (seats_short & (wanted <= SEATS_MAX[plan]))
    new_plan = np.where(only_seats, plan, np.minimum(plan + 1, TOP_PLAN))
    wanted = np.where(only_seats | seats_short, wanted, seats)
    _set_plan(state, index, new_plan, np.minimum(np.maximum(wanted, SEATS_INCLUDED[new_plan]), SEATS_MAX[new_plan]))


def shrink(state: State, index: Ints) -> None:
    """Take seats from the accounts at *index*, or move them a plan down where they have only its included seats."""
    if not index.size:
        return
    plan, seats = state.plan[index], state.seats[index]
    need = np.ceil(np.exp(state.log_users[index]) * 1.15).astype(np.int64)
    drop = (plan > 0) & (seats <= SEATS_INCLUDED[plan])
    new_plan = np.where(drop, np.maximum(plan - 1, 0), plan)
    fewer = np.minimum(np.maximum(need, SEATS_INCLUDED[new_plan]), SEATS_MAX[new_plan])
    _set_plan(state, index, new_plan, np.where(drop, fewer, np.minimum(fewer, seats - 1)))


def _set_plan(state: State, index: Ints, plan: Ints, seats: Ints) -> None:
    state.plan[index] = plan
    state.seats[index] = seats
    state.log_seats[index] = np.log(seats)
    state.log_api_limit[index] = LOG_API_LIMIT[plan]
    state.log_storage_limit[index] = LOG_STORAGE_LIMIT[plan]
