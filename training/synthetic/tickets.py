"""The `support_tickets` table: when accounts ask, how they sound, how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from training.synthetic.calendar import DAY_US, HOUR_US, Calendar
from training.synthetic.plans import FEATURES_AVAILABLE
from training.synthetic.tickets_text import DRAWS_PER_TEXT, MOODS, TOPICS, compose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.synthetic.accounts import Population
    from training.synthetic.history import History

PRIORITIES = ("low", "normal", "high", "urgent")
_TIME = pa.timestamp("us", "UTC")
_TOPIC_WEIGHT = {
    "billing": 1.0, "login": 1.0, "performance": 0.9, "bug": 1.5, "api": 0.8, "integration": 0.8,
    "import_export": 0.8, "permissions": 0.6, "how_to": 1.3, "feature_request": 0.8, "outage": 0.15,
    "plan_limits": 0.4, "cancellation": 0.2,
}  # fmt: skip
_NEEDS_WELL = ("how_to", "feature_request", "plan_limits")
_NEEDS_UNWELL = ("cancellation", "bug", "performance", "billing")
_LENGTH_OF_ECHO_DAYS = 4


def ticket_table(
    population: Population,
    history: History,
    calendar: Calendar,
    impact: NDArray[np.float64],
    rng: np.random.Generator,
) -> pa.Table:
    """Return the `support_tickets` table of a block, by account and time.

    `sentiment` is null: the text has to be scored.

    Args:
        population: The n accounts.
        history: What happened to them.
        calendar: The world's days.
        impact: Fall in health by incidents, shape (n, days); tickets follow incidents for some days.
        rng: The block's stream for this purpose.
    """
    n, days = population.size, calendar.days
    echo = _echo(impact)
    size = np.log1p(np.exp(history.log_users))
    rate = 0.006 * size * np.exp(np.clip(-0.45 * history.health, -1.5, 1.8)) + 0.15 * echo
    age = np.arange(days)[None, :] - population.first_day[:, None]
    rate *= 1.0 + 1.2 * np.exp(-np.maximum(age, 0) / 30.0)
    rate *= np.exp(0.4 * rng.standard_normal((n, 1)))
    account, day = np.nonzero(history.active & (rng.random((n, days)) < np.minimum(rate, 0.5)))
    m = account.size
    health, hurt = history.health[account, day], echo[account, day]
    temper = 0.5 * rng.standard_normal(n)
    feeling = (
        3.0 + 0.75 * health + temper[account] - 2.5 * np.minimum(hurt, 1.0) + 0.9 * rng.standard_normal(m)
    )
    topic = _topics(health, hurt, rng.random(m))
    feeling -= 1.2 * np.isin(topic, [TOPICS.index("outage"), TOPICS.index("cancellation")])
    mood = np.clip(np.round(feeling), 0, MOODS - 1).astype(np.int64)
    priority = np.clip(np.round(1.2 - 0.25 * (feeling - 3.0) + 0.6 * rng.standard_normal(m)), 0, 3).astype(
        np.int64
    )
    opened = calendar.at(day) + _office_times(rng, population.utc_offset_hours[account])
    wait = np.maximum(6.0 * np.exp(0.8 * rng.standard_normal(m)) / (1.0 + 0.6 * priority), 0.1)
    first = opened + (wait * HOUR_US).astype(np.int64)
    closed = first + (wait * np.exp(1.0 + 0.9 * rng.standard_normal(m)) * HOUR_US).astype(np.int64)
    escalated = rng.random(m) < np.where(mood <= 1, 0.22, 0.03) * (1 + (priority == len(PRIORITIES) - 1))
    complaint = (mood == 0) | ((mood == 1) & (rng.random(m) < 0.6)) | ((mood == 2) & (rng.random(m) < 0.12))  # noqa: PLR2004
    slow = np.log((closed - opened) / HOUR_US) - 2.5
    csat = np.clip(np.round(3.6 + 0.55 * (feeling - 3.0) - 0.3 * slow + 0.7 * rng.standard_normal(m)), 1, 5)
    answered, over = first < calendar.end_us, closed < calendar.end_us
    rated = over & (rng.random(m) < 0.42)  # noqa: PLR2004 about two of five answer
    order = np.lexsort((opened, account))
    numbers = np.arange(m) - np.searchsorted(account, account, side="left")
    feature = (rng.random(m) * FEATURES_AVAILABLE[history.plan[account, day]]).astype(np.int64)
    urgent = (priority == len(PRIORITIES) - 1) & (rng.random(m) < 0.8)  # noqa: PLR2004 most say so
    draws = rng.random((m, DRAWS_PER_TEXT))
    texts = [
        compose(TOPICS[topic[k]], int(mood[k]), int(feature[k]), bool(urgent[k]), draws[k]) for k in range(m)
    ]
    silent = rng.random(m) < 0.02  # noqa: PLR2004 a few came by phone, without a text
    return pa.table(
        {
            "ticket_id": pa.array(
                [f"{population.ids[a]}-k{k + 1:04d}" for a, k in zip(account, numbers, strict=True)],
                pa.string(),
            ),
            "account_id": pa.array([population.ids[a] for a in account], pa.string()),
            "opened_at": pa.array(opened).cast(_TIME),
            "first_response_at": pa.array(first, mask=~answered).cast(_TIME),
            "closed_at": pa.array(closed, mask=~over).cast(_TIME),
            "priority": pa.array([PRIORITIES[p] for p in priority], pa.string()),
            "topic": pa.array([TOPICS[t] for t in topic], pa.string()),
            "escalated": pa.array(escalated),
            "is_complaint": pa.array(complaint),
            "csat": pa.array(csat, mask=~rated),
            "sentiment": pa.nulls(m, pa.float64()),
            "text": pa.array(texts, pa.string(), mask=silent),
        }
    ).take(pa.array(order))


def _echo(impact: NDArray[np.float64]) -> NDArray[np.float64]:
    echo = impact.copy()
    for back in range(1, _LENGTH_OF_ECHO_DAYS):
        echo[:, back:] += impact[:, :-back] * (1.0 - back / _LENGTH_OF_ECHO_DAYS)
    return echo


def _topics(
    health: NDArray[np.float64], hurt: NDArray[np.float64], chance: NDArray[np.float64]
) -> NDArray[np.int64]:
    weight = np.tile(np.array([_TOPIC_WEIGHT[topic] for topic in TOPICS]), (health.size, 1))
    weight[:, [TOPICS.index(topic) for topic in _NEEDS_WELL]] *= np.exp(np.clip(0.5 * health, -2, 2))[:, None]
    weight[:, [TOPICS.index(topic) for topic in _NEEDS_UNWELL]] *= np.exp(np.clip(-0.4 * health, -2, 2))[
        :, None
    ]
    weight[:, TOPICS.index("outage")] += 12.0 * hurt
    total = np.cumsum(weight, axis=1)
    topic: NDArray[np.int64] = (total < (chance * total[:, -1])[:, None]).sum(axis=1)
    return topic


def _office_times(rng: np.random.Generator, offset_hours: NDArray[np.float64]) -> NDArray[np.int64]:
    local = rng.triangular(6.0, 11.5, 21.0, offset_hours.size)
    return (((local - offset_hours) * HOUR_US).astype(np.int64)) % DAY_US
