"""How likely an account is to leave, not to pay, or to expand on a day, given where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synthetic.plans import SEATS_MAX, TOP_PLAN

if TYPE_CHECKING:
    from training.synthetic.state import Floats, Ints, State, Traits

NONPAYMENT_AFTER_DAYS = 20
NONPAYMENT_RATE = 0.05
RENEWAL_WINDOW_DAYS = 30
FIRST_CHANGE_DAY = 14
CHURN_PER_HEALTH = 1.8
UPSELL_PER_HEALTH = 0.5
UPSELL_PER_LOG_LIMIT = 2.8

_CHURN_LEVEL = -8.6
_UPSELL_LEVEL = -6.9
_LOG_LIMIT_RANGE = (-1.6, 0.35)
_MOST_LOG_ODDS = -1.0


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
    over = np.flatnonzero(full > 0)
    odds_churn[over] += 0.5 * full[over]
    odds_churn[np.flatnonzero(~state.onboarded)] += 0.45
    renewing = np.flatnonzero(state.term_end - day < RENEWAL_WINDOW_DAYS)
    odds_churn[renewing] += np.where(traits.auto_renew[renewing], 1.3, 2.1)
    odds_upsell[renewing] += 0.5
    overdue = np.flatnonzero(late > 0)
    odds_churn[overdue] += 0.6
    odds_upsell[overdue] -= 1.2
    treated = np.flatnonzero(day <= state.effect_until)
    odds_churn[treated] += state.effect_churn[treated]
    odds_upsell[treated] += state.effect_upsell[treated]
    voluntary: Floats = _chance(odds_churn) * state.paying
    nonpayment: Floats = np.float64(NONPAYMENT_RATE) * (state.paying & (late > NONPAYMENT_AFTER_DAYS))
    room = (tenure >= FIRST_CHANGE_DAY) & (state.seats < SEATS_MAX[TOP_PLAN])
    upsell: Floats = _chance(odds_upsell) * (state.paying & room)
    churn: Floats = voluntary + nonpayment - voluntary * nonpayment
    return churn, nonpayment, upsell


def _chance(log_odds: Floats) -> Floats:
    odds = np.exp(np.minimum(log_odds, _MOST_LOG_ODDS))
    return odds / (1.0 + odds)
