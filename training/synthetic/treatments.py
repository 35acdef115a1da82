"""Past actions under a randomised policy: who was drawn, with which chance, and what an action does.

What an action does depends on the account: it helps some, does nothing to many, and harms a few (sleeping
dogs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.synthetic.state import limit_proximity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.synthetic.state import State, Traits

ACTIONS = (
    "propose_offer_within_bands",
    "start_trial_or_upgrade",
    "schedule_success_call",
    "send_enablement_guide",
    "adjust_seats_within_policy",
)
OFFER, TRIAL, CALL, GUIDE, SEATS = range(len(ACTIONS))
ARRIVAL_RATE = 1 / 30
EFFECT_DAYS = 60
OUTCOME_DAYS = 90
PROPENSITY_RANGE = (0.2, 0.8)

_SLICE_START = 0.95
"""Arrivals take this part of a day's event draw: churn, upsell and downgrade can't reach it."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """m draws of the policy on one day: positions, action, arm, chance of treatment, log-hazard effects.

    `effect_churn` and `effect_upsell` are what the action does if it is taken, whichever arm was drawn.
    """

    index: NDArray[np.int64]
    action: NDArray[np.int64]
    treated: NDArray[np.bool_]
    propensity: NDArray[np.float64]
    effect_churn: NDArray[np.float64]
    effect_upsell: NDArray[np.float64]


def propensity(
    action: NDArray[np.int64],
    segment: NDArray[np.int64],
    plan: NDArray[np.int64],
    tenure_days: NDArray[np.float64],
    overdue: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the chance of treatment, 0.2 to 0.8, shape (m,); it depends only on what everybody could see.

    Args:
        action: Index into `ACTIONS`.
        segment: 0 smb, 1 mid_market, 2 enterprise.
        plan: Rank of the plan.
        tenure_days: Days since the account began to pay.
        overdue: Whether an invoice was overdue.
    """
    chance = np.array([0.50, 0.45, 0.40, 0.60, 0.50])[action]
    chance = chance + np.array([0.15, 0.05, -0.25, 0.10, 0.0])[action] * (segment == 0)
    chance = chance + np.array([-0.05, -0.10, 0.10, 0.0, 0.05])[action] * (plan - 1.5)
    chance = chance + np.array([-0.10, 0.0, 0.05, 0.20, 0.0])[action] * (tenure_days < 180)  # noqa: PLR2004 half a year
    chance = chance - 0.2 * overdue
    clipped: NDArray[np.float64] = np.clip(chance, *PROPENSITY_RANGE)
    return clipped


def effects(
    action: NDArray[np.int64],
    traits: Traits,
    state: State,
    full: NDArray[np.float64],
    day: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the effects of *action* on the log hazards of (churn, upsell), shape (m,) each.

    Args:
        action: Index into `ACTIONS`.
        traits: Of the m accounts.
        state: Of the same.
        full: Log of the use of the fullest limit.
        day: World day of each.
    """
    tenure = day - state.paid_from
    small, large = traits.segment == 0, traits.segment > 0
    unwell = state.health < -0.2  # noqa: PLR2004 somewhat below the mean
    well_settled = (state.health > 0.3) & (tenure > 365)  # noqa: PLR2004 a healthy account of more than a year
    seats_used = state.log_users - state.log_seats
    near_limit = full > np.log(0.75)
    churn = np.select(
        [action == OFFER, action == TRIAL, action == CALL, action == GUIDE, action == SEATS],
        [
            np.where(well_settled, 0.65, np.where(small & (traits.discount < 0.1), -0.8, 0.0)),  # noqa: PLR2004 10 %
            np.where(unwell, 0.45, 0.0),
            np.where(large & unwell, -1.1, np.where(small & ~unwell, 0.5, -0.05)),
            np.where((tenure < 180) | ~state.onboarded, -0.7, 0.0),  # noqa: PLR2004 half a year
            np.where(seats_used < np.log(0.5), -0.7, 0.0),
        ],
    )
    upsell = np.select(
        [action == OFFER, action == TRIAL, action == CALL, action == GUIDE, action == SEATS],
        [
            np.where(near_limit, 0.7, 0.0),
            np.where(near_limit & ~unwell, 1.1, 0.05),
            np.where(large, 0.35, 0.0),
            np.where(tenure < 180, 0.25, 0.0),  # noqa: PLR2004 half a year
            np.where(seats_used > np.log(0.8), 1.0, np.where(seats_used < np.log(0.5), -0.6, 0.1)),
        ],
    )
    own = traits.persuadability[np.arange(action.shape[0]), action]
    return churn + own, upsell + 0.5 * own


def arrivals(
    event: NDArray[np.float64],
    traits: Traits,
    state: State,
    day: int | NDArray[np.int64],
) -> Arrivals:
    """Draw the day's arrivals out of the event values, and apply those that are treated to *state*.

    An account is drawn at a rate of 1 in 30 a day, and then not again while an effect could last (60 days).

    Args:
        event: The day's uniform event draw, shape (n,).
        traits: Of the n accounts.
        state: Of the same; effects are written into it.
        day: World day, one for all or one each.
    """
    index = np.flatnonzero((event >= _SLICE_START) & (event < _SLICE_START + ARRIVAL_RATE))
    at = np.full(index.shape, float(day)) if isinstance(day, int) else day[index].astype(np.float64)
    eligible = state.paying[index] & (at >= state.next_treatment[index])
    index, at = index[eligible], at[eligible]
    if not index.size:
        none = np.empty(0)
        return Arrivals(index, index, none.astype(np.bool_), none, none, none)
    position = (event[index] - _SLICE_START) / ARRIVAL_RATE * len(ACTIONS)
    action = np.minimum(position.astype(np.int64), len(ACTIONS) - 1)
    of, now = traits.take(index), state.take(index)
    chance = propensity(action, of.segment, now.plan, at - now.paid_from, at > now.unpaid_due)
    treated = position - action < chance
    churn, upsell = effects(action, of, now, limit_proximity(of, now), at)
    set_effects(state, index, np.where(treated, churn, 0.0), np.where(treated, upsell, 0.0), at)
    return Arrivals(index, action, treated, chance, churn, upsell)


def set_effects(
    state: State,
    index: NDArray[np.int64],
    churn: NDArray[np.float64],
    upsell: NDArray[np.float64],
    day: NDArray[np.float64],
) -> None:
    """Let effects act on the accounts at *index* from the day after *day* on, for 60 days."""
    state.effect_churn[index] = churn
    state.effect_upsell[index] = upsell
    state.effect_until[index] = day + EFFECT_DAYS
    state.next_treatment[index] = day + EFFECT_DAYS
