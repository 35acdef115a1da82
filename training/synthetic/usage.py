"""What a healthy or unwell account does in the product: the `usage_daily` and `feature_usage` tables.

Counts follow the latent health through chance and through a second slow process that has nothing to do with
churn, so that the tables carry the signal but not the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy.signal import lfilter

from training.synthetic.plans import FEATURES_AVAILABLE, PRODUCT_FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from training.synthetic.accounts import Population
    from training.synthetic.calendar import Calendar
    from training.synthetic.history import History

METRICS = ("logins", "active_users", "sessions", "api_calls", "events", "invites", "storage_gb")
_MOOD_REVERSION = 0.04
_MOOD_SD = 0.35
_STORAGE_EVERY_DAYS = 7
_FEATURE_EXPONENT = 1.0
_DAY = pa.date32()


def usage_tables(
    population: Population,
    history: History,
    calendar: Calendar,
    impact: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Iterator[pa.Table], NDArray[np.int64]]:
    """Return the parts of `usage_daily`, one a metric, and the sessions of each day, shape (n, days).

    Days without use have no row; `storage_gb` has one a week.

    Args:
        population: The n accounts.
        history: What happened to them.
        calendar: The world's days.
        impact: Fall in health by incidents, shape (n, days); the product is used less on such a day.
        rng: The block's stream for this purpose.
    """
    traits, n, days = population.traits, population.size, calendar.days
    mood = _slow_noise(rng, n, days)
    health = history.health + mood
    season = calendar.season[traits.region, traits.industry] * (1.0 - np.minimum(0.4 * impact, 0.5))
    users = np.minimum(np.exp(history.log_users), history.seats)
    lean = 0.35 * rng.standard_normal((n, 1))
    chance = np.clip(season / (1.0 + np.exp(-(0.1 + lean + 0.55 * health))), 0.0, 0.98)
    active_users = rng.binomial(np.round(users).astype(np.int64), chance) * history.active
    sessions = active_users + rng.poisson(active_users * 0.9 * np.exp(np.clip(0.2 * health, -1.0, 0.8)))
    logins = active_users + rng.poisson(0.35 * active_users)
    per_session = 9.0 * np.exp(0.4 * rng.standard_normal((n, 1)) + np.clip(0.15 * health, -0.8, 0.8))
    events = rng.poisson(sessions * per_session * np.exp(0.25 * rng.standard_normal((n, days))))
    level = history.log_users + traits.log_api_per_user[:, None] + 0.25 * health - np.log(30.4)
    noise = np.exp(0.25 * rng.standard_normal((n, days)))
    api_calls = np.round(np.exp(level) * (0.55 + 0.5 * season) * noise) * history.active
    newcomer = 1.0 + 4.0 * (history.onboarded_day[:, None] < 0) * (population.first_day[:, None] >= 0)
    invites = rng.poisson(
        0.004 * newcomer * users * np.exp(np.clip(0.4 * health, -1.5, 1.5)) * season * history.active
    )
    weekly = history.active & (np.arange(days) % _STORAGE_EVERY_DAYS == 0)
    starts = history.active & ~np.pad(history.active, ((0, 0), (1, 0)))[:, :-1]
    storage = np.where(weekly | starts, np.round(np.exp(history.log_storage), 3), 0.0)
    values = (logins, active_users, sessions, api_calls, events, invites, storage)
    parts = (
        _usage_part(population, calendar, name, value) for name, value in zip(METRICS, values, strict=True)
    )
    return parts, sessions


def _slow_noise(rng: np.random.Generator, n: int, days: int) -> NDArray[np.float64]:
    keep = 1.0 - _MOOD_REVERSION
    drive = rng.standard_normal((n, days)) * _MOOD_SD * np.sqrt(1.0 - keep**2)
    drive[:, 0] = rng.standard_normal(n) * _MOOD_SD
    return np.asarray(lfilter([1.0], [1.0, -keep], drive, axis=1))


def _usage_part(
    population: Population, calendar: Calendar, metric: str, value: NDArray[np.float64] | NDArray[np.int64]
) -> pa.Table:
    account, day = np.nonzero(value > 0)
    return pa.table(
        {
            "account_id": _by_index(account, population.ids),
            "day": pa.array((day + calendar.epoch_day).astype(np.int32)).cast(_DAY),
            "metric": _by_index(np.zeros(account.size, dtype=np.int32), (metric,)),
            "value": pa.array(value[account, day].astype(np.float64)),
        }
    )


def feature_table(
    population: Population,
    history: History,
    calendar: Calendar,
    impact: NDArray[np.float64],
    *,
    sessions: NDArray[np.int64],
    rng: np.random.Generator,
) -> pa.Table:
    """Return the `feature_usage` table of a block.

    Each account takes up its plan's features one after another, the sooner the healthier it is, and uses them
    by a taste of its own; advanced ones more when it is well.

    Args:
        population: The n accounts.
        history: What happened to them.
        calendar: The world's days.
        impact: Fall in health by incidents, shape (n, days); features fail more on such a day.
        sessions: Sessions a day, shape (n, days).
        rng: The block's stream for this purpose.
    """
    n, days = sessions.shape
    taste = rng.gamma(0.6, 1.0, (n, len(PRODUCT_FEATURES)))
    taste /= taste.sum(axis=1, keepdims=True)
    takes_up = (
        rng.exponential(150.0, (n, len(PRODUCT_FEATURES)))
        * np.exp(-0.4 * population.traits.health_mean)[:, None]
    )
    takes_up *= np.arange(len(PRODUCT_FEATURES)) / 8.0
    age = np.arange(days)[None, :] - population.first_day[:, None]
    lively = np.exp(np.clip(0.35 * history.health, -1.2, 1.2))
    available = FEATURES_AVAILABLE[history.plan]
    fails = np.exp(np.log(0.012) + 0.6 * rng.standard_normal((n, 1)) + np.minimum(3.0 * impact, 2.5))
    accounts, on_days, keys, counts, errors = [], [], [], [], []
    volume = sessions**_FEATURE_EXPONENT
    for f, feature in enumerate(PRODUCT_FEATURES):
        used = (available > f) & (age >= takes_up[:, f : f + 1]) & (sessions > 0)
        account, day = np.nonzero(used)
        mean = 1.2 * taste[account, f] * volume[account, day]
        if feature.tier == "advanced":
            mean = mean * lively[account, day]
        count = rng.poisson(mean)
        some = count > 0
        account, day, count = account[some], day[some], count[some]
        accounts.append(account)
        on_days.append(day)
        keys.append(np.full(account.size, f, dtype=np.int32))
        counts.append(count)
        errors.append(rng.binomial(count, np.minimum(fails[account, day], 0.5)))
    key = np.concatenate(keys)
    tier = np.array([feature.tier == "advanced" for feature in PRODUCT_FEATURES], dtype=np.int32)
    return pa.table(
        {
            "account_id": _by_index(np.concatenate(accounts), population.ids),
            "day": pa.array((np.concatenate(on_days) + calendar.epoch_day).astype(np.int32)).cast(_DAY),
            "feature_key": _by_index(key, tuple(feature.key for feature in PRODUCT_FEATURES)),
            "count": pa.array(np.concatenate(counts)),
            "errors": pa.array(np.concatenate(errors)),
            "feature_tier": _by_index(tier[key], ("core", "advanced")),
        }
    )


def _by_index(index: NDArray[np.integer], values: tuple[str, ...]) -> pa.Array:
    """Return the strings *values* at *index*, stored once each (a dictionary array)."""
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(values, pa.string()))
