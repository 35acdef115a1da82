"""The world's law of motion: one day of latent health, demand, payment, leaving, growing and being treated.

The history is one path of it; the truth files are means over many paths of the very same functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.synthetic.hazards import hazards
from training.synthetic.incidents import HIT_RATE, impact_of
from training.synthetic.plan_changes import DOWNGRADE_RATE, expand, may_shrink, shrink
from training.synthetic.state import limit_proximity
from training.synthetic.treatments import arrivals

if TYPE_CHECKING:
    from training.synthetic.calendar import Calendar
    from training.synthetic.state import Draws, Floats, Ints, State, Traits
    from training.synthetic.treatments import Arrivals

HEALTH_REVERSION = 0.008
HEALTH_NOISE = 0.06
ONBOARDED_LIFT = 0.35
SHOCK_RATE = 1 / 250
WINDFALL_RATE = 1 / 400
ONBOARDING_RATE = 0.03
DUE_DAYS = 14
RESOLVE_RATE = 0.09
TERM_DAYS = 365


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
    treatments: Arrivals


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
    some = np.flatnonzero(event < grows + DOWNGRADE_RATE)
    expanded = some[(event[some] >= churn[some]) & (event[some] < grows[some])]
    shrunk = some[event[some] >= grows[some]]
    shrunk = shrunk[may_shrink(state, shrunk, full)]
    expand(traits, state, expanded)
    shrink(state, shrunk)
    renewed = np.flatnonzero(state.term_end <= day + 1)
    renewed = renewed[state.paying[renewed]]
    state.term_end[renewed] += TERM_DAYS
    drawn = arrivals(event, traits, state, day)
    return Day(
        churn, nonpayment, upsell, left, expanded, shrunk, renewed, ready, issued, late, resolved, drawn
    )


def _jumps(state: State, jump: Floats, impact: Floats | None) -> None:
    bad = np.flatnonzero(jump < SHOCK_RATE)
    state.health[bad] -= 0.4 + 1.3 * jump[bad] / SHOCK_RATE
    good = np.flatnonzero((jump >= SHOCK_RATE) & (jump < SHOCK_RATE + WINDFALL_RATE))
    state.health[good] += 0.3 + 0.9 * (jump[good] - SHOCK_RATE) / WINDFALL_RATE
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
