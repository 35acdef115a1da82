"""What an account is and where it stands: its traits, its state, and the randomness that a day brings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

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


def limit_proximity(traits: Traits, state: State) -> Floats:
    """Return the log of the fullest limit's use (seats, API calls, storage), shape (n,); 0 is full."""
    seats = state.log_users - state.log_seats
    api = state.log_users + traits.log_api_per_user + 0.25 * state.health - state.log_api_limit
    storage = state.log_storage - state.log_storage_limit
    return np.maximum(np.maximum(seats, api), storage)


@dataclass(frozen=True, slots=True)
class Draws:
    """A day's randomness, shape (n,) each: one standard normal, three uniform on [0, 1).

    A day takes the same number of random values whatever happens, so that two runs can share their
    randomness.
    """

    noise: Floats
    jump: Floats
    event: Floats
    payment: Floats


def draw(rng: np.random.Generator, n: int) -> Draws:
    """Draw a day for *n* accounts."""
    return Draws(rng.standard_normal(n), rng.random(n), rng.random(n), rng.random(n))


def draw_mirrored(rng: np.random.Generator, n: int) -> Draws:
    """Draw a day for *n* paths, *n* even; each odd one mirrors the path before it (antithetic variates).

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
