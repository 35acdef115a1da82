"""The `engagements` table: mails, calls, meetings, trainings, surveys and sponsor contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.synthetic.calendar import DAY_US, HOUR_US, Calendar
from training.synthetic.treatments import ACTIONS

if TYPE_CHECKING:
    from training.synthetic.accounts import Population
    from training.synthetic.history import History

_TIME = pa.timestamp("us", "UTC")
_MAIL_RATE = 1 / 12
_NPS_EVERY_DAYS = 90
_NPS_ANSWERS = 0.45
_CLICKS = 0.3
_CALL_ACTION = ACTIONS.index("schedule_success_call")

_Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
"""Account positions, times in microseconds, person numbers, scores (NaN for none)."""


def engagement_table(
    population: Population, history: History, calendar: Calendar, rng: np.random.Generator
) -> pa.Table:
    """Return the `engagements` table of a block; a healthy account opens, answers and learns more.

    A success call that was taken as a treatment shows as a call on the day after.
    """
    n, days = history.health.shape
    well = np.clip(history.health, -3.0, 3.0)
    people = np.maximum(np.minimum(np.sqrt(np.exp(history.log_users)), 12), 1).astype(np.int64)
    large = population.traits.segment > 0
    offset = (population.utc_offset_hours * HOUR_US).astype(np.int64)

    def drawn(rate: NDArray[np.floating]) -> _Rows:
        account, day = np.nonzero(history.active & (rng.random((n, days)) < rate))
        at = calendar.at(day) + _office_hours(rng, offset[account])
        person = (rng.random(account.size) * people[account, day]).astype(np.int64)
        return account, at, person, np.full(account.size, np.nan)

    gone = _unsubscribed_from(rng, well, days)
    mail = drawn(_MAIL_RATE * (np.arange(days)[None, :] < gone[:, None]))
    day_of_mail = (mail[1] // DAY_US - calendar.epoch_day).astype(np.int64)
    likes = 1.0 / (1.0 + np.exp(0.75 - 0.7 * well[mail[0], day_of_mail]))
    opened = _after(
        mail, rng.random(mail[0].size) < likes, rng, hours=30.0, history=history, calendar=calendar
    )
    clicks = rng.random(opened[0].size) < _CLICKS
    clicked = _after(opened, clicks, rng, hours=0.5, history=history, calendar=calendar)
    account, day = np.nonzero(history.active & (np.arange(days)[None, :] == gone[:, None]))
    at = calendar.at(day) + _office_hours(rng, offset[account])
    unsubscribed = (account, at, np.zeros(account.size, np.int64), np.full(account.size, np.nan))
    new = history.onboarded_day[:, None] < 0
    kinds = {
        "email_sent": mail,
        "email_opened": opened,
        "email_clicked": clicked,
        "call": drawn((0.008 + 0.010 * large[:, None]) * np.exp(-0.15 * well)),
        "meeting": drawn((0.002 + 0.008 * large[:, None]) * np.exp(0.25 * well)),
        "training_completed": drawn((0.003 + 0.010 * new) * np.exp(0.35 * well)),
        "nps": _surveys(history, calendar, rng, offset=offset, people=people),
        "sponsor_contact": drawn((0.002 + 0.006 * large[:, None]) * np.exp(0.45 * well)),
        "unsubscribed": unsubscribed,
    }
    kinds["call"] = _joined(kinds["call"], _success_calls(history, calendar, rng, offset))
    return _table(population, kinds)


def _office_hours(rng: np.random.Generator, offset: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times within the UTC day that are mostly office hours at *offset* from UTC, in microseconds."""
    local = (rng.triangular(7.5, 11.0, 18.5, offset.size) * HOUR_US).astype(np.int64)
    return (local - offset) % DAY_US


def _unsubscribed_from(rng: np.random.Generator, well: NDArray[np.float64], days: int) -> NDArray[np.int64]:
    chance = 0.00025 * np.exp(-0.4 * well)
    hit = rng.random(well.shape) < chance
    return np.where(hit.any(axis=1), hit.argmax(axis=1), days)


def _after(
    rows: _Rows,
    chosen: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    hours: float,
    history: History,
    calendar: Calendar,
) -> _Rows:
    """Return the *chosen* rows some hours later, where the account is active and data has not ended."""
    account, person, score = rows[0][chosen], rows[2][chosen], rows[3][chosen]
    at = rows[1][chosen] + (rng.exponential(hours, account.size) * HOUR_US).astype(np.int64) + 1_000_000
    day = at // DAY_US - calendar.epoch_day
    known = day < calendar.days
    known[known] &= history.active[account[known], day[known]]
    return account[known], at[known], person[known], score[known]


def _surveys(
    history: History,
    calendar: Calendar,
    rng: np.random.Generator,
    *,
    offset: NDArray[np.int64],
    people: NDArray[np.int64],
) -> _Rows:
    n, days = len(offset), calendar.days
    turn = rng.integers(0, _NPS_EVERY_DAYS, n)
    asked = history.paying & ((np.arange(days)[None, :] + turn[:, None]) % _NPS_EVERY_DAYS == 0)
    account, day = np.nonzero(asked & (rng.random((n, days)) < _NPS_ANSWERS))
    lean = 0.8 * rng.standard_normal(n)
    liking = (
        7.2 + 1.5 * history.health[account, day] + lean[account] + 1.2 * rng.standard_normal(account.size)
    )
    at = calendar.at(day) + _office_hours(rng, offset[account])
    person = (rng.random(account.size) * people[account, day]).astype(np.int64)
    return account, at, person, np.clip(np.round(liking), 0, 10)


def _success_calls(
    history: History, calendar: Calendar, rng: np.random.Generator, offset: NDArray[np.int64]
) -> _Rows:
    calls = [
        (draw.account, draw.day + 1)
        for draw in history.treatments
        if draw.treated and draw.action == _CALL_ACTION and draw.day + 1 < calendar.days
        and history.active[draw.account, draw.day + 1]
    ]  # fmt: skip
    account = np.array([account for account, _ in calls], dtype=np.int64)
    day = np.array([day for _, day in calls], dtype=np.int64)
    at = calendar.at(day) + _office_hours(rng, offset[account])
    return account, at, np.zeros(account.size, dtype=np.int64), np.full(account.size, np.nan)


def _joined(one: _Rows, other: _Rows) -> _Rows:
    account, at, person, score = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    return account, at, person, score


def _table(population: Population, kinds: dict[str, _Rows]) -> pa.Table:
    account = np.concatenate([rows[0] for rows in kinds.values()])
    at = np.concatenate([rows[1] for rows in kinds.values()])
    person = np.concatenate([rows[2] for rows in kinds.values()])
    score = np.concatenate([rows[3] for rows in kinds.values()])
    kind = np.concatenate([np.full(rows[0].size, k) for k, rows in enumerate(kinds.values())])
    order = np.lexsort((kind, at, account))
    account, at, person, score, kind = account[order], at[order], person[order], score[order], kind[order]
    first = np.searchsorted(account, account, side="left")
    number = np.arange(account.size) - first
    names = tuple(kinds)
    return pa.table(
        {
            "engagement_id": pa.array(
                [f"{population.ids[a]}-e{k:05d}" for a, k in zip(account, number, strict=True)], pa.string()
            ),
            "account_id": pa.array([population.ids[a] for a in account], pa.string()),
            "occurred_at": pa.array(at).cast(_TIME),
            "kind": pa.array([names[k] for k in kind], pa.string()),
            "score": pa.array(score, mask=np.isnan(score)),
            "person_id": pa.array(
                [f"{population.ids[a]}-p{p + 1:02d}" for a, p in zip(account, person, strict=True)],
                pa.string(),
            ),
        }
    )
