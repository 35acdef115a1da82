"""What growing and shrinking mean: more seats or the next plan, fewer seats or the plan below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synthetic.plans import LOG_API_LIMIT, LOG_STORAGE_LIMIT, SEATS_INCLUDED, SEATS_MAX, TOP_PLAN
from training.synthetic.state import limit_proximity

if TYPE_CHECKING:
    from training.synthetic.state import Bools, Floats, Ints, State, Traits

DOWNGRADE_RATE = 0.0006
_DOWNGRADE_BELOW = float(np.log(0.45))


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
    _set_plan(
        state, index, new_plan, np.minimum(np.maximum(wanted, SEATS_INCLUDED[new_plan]), SEATS_MAX[new_plan])
    )


def shrink(state: State, index: Ints) -> None:
    """Take seats from the accounts at *index*, or a plan where they have only its included seats."""
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


def may_shrink(state: State, index: Ints, full: Floats) -> Bools:
    """Return which of the accounts at *index* use so little that they may shrink, shape of *index*.

    Args:
        state: Of n accounts.
        index: Positions of some of them.
        full: `limit_proximity` of the n accounts.
    """
    smallest = (state.plan[index] == 0) & (state.seats[index] <= SEATS_INCLUDED[0])
    low: Bools = state.paying[index] & (full[index] < _DOWNGRADE_BELOW) & ~smallest
    return low
