"""Incidents: when the product fails, for whom, how badly, and what that does to health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from training.synthetic.calendar import HOUR_US, REGIONS, Calendar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEVERITIES = ("minor", "major", "critical")
SEVERITY_SHARE = (0.6, 0.3, 0.1)
SEVERITY_IMPACT = (0.08, 0.25, 0.60)
RATE_ALL = 0.003
RATE_REGION = 0.006
RATE_ACCOUNT = 0.003
HIT_RATE = RATE_ALL + RATE_REGION + RATE_ACCOUNT
"""Expected incidents an account and day."""

_SCOPES = ("all", "region", "account")
_TIME = pa.timestamp("us", "UTC")
_BOUNDS = np.cumsum(SEVERITY_SHARE)[:-1]
_HOURS_MEDIAN = (1.0, 3.0, 7.0)


@dataclass(frozen=True, slots=True)
class Incidents:
    """m incidents: day, start and end in microseconds, scope (0 all, 1 region, 2 account), whom, how bad."""

    day: NDArray[np.int64]
    started: NDArray[np.int64]
    ended: NDArray[np.int64]
    scope: NDArray[np.int64]
    target: NDArray[np.int64]
    severity: NDArray[np.int64]


def severity_of(u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the severity that a uniform value stands for: 0 minor, 1 major, 2 critical."""
    return np.searchsorted(_BOUNDS, u, side="right").astype(np.int64)


def impact_of(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the fall in health by an incident whose severity the uniform value *u* stands for."""
    return np.asarray(SEVERITY_IMPACT)[severity_of(u)]


def shared_incidents(calendar: Calendar, rng: np.random.Generator) -> Incidents:
    """Draw the incidents of everybody and of whole regions; at most one of a scope and day."""
    hit = rng.random((calendar.days, 1 + len(REGIONS)))
    rate = np.array([RATE_ALL] + [RATE_REGION] * len(REGIONS))
    day, column = np.nonzero(hit < rate)
    return _timed(calendar, rng, day, np.minimum(column, 1), np.maximum(column - 1, 0))


def account_incidents(calendar: Calendar, n: int, rng: np.random.Generator) -> Incidents:
    """Draw the incidents of *n* single accounts on any day; `while_active` drops those that nobody met."""
    account, day = np.nonzero(rng.random((n, calendar.days)) < RATE_ACCOUNT)
    return _timed(calendar, rng, day, np.full(day.shape, 2), account)


def while_active(incidents: Incidents, active: NDArray[np.bool_]) -> Incidents:
    """Return the incidents that fell on days on which their accounts were *active*, shape (n, days)."""
    met = active[incidents.target, incidents.day]
    return Incidents(*(getattr(incidents, name)[met] for name in Incidents.__dataclass_fields__))


def impact_matrix(calendar: Calendar, incidents: Incidents, region: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the fall in health of n accounts on each day by *incidents*, shape (n, days).

    Args:
        calendar: The world's days.
        incidents: Of any scope; those of single accounts have the account's position as target.
        region: Region number of each account, shape (n,).
    """
    impact = np.zeros((region.shape[0], calendar.days))
    size = np.asarray(SEVERITY_IMPACT)[incidents.severity]
    for day, scope, target, amount in zip(
        incidents.day, incidents.scope, incidents.target, size, strict=True
    ):
        if scope == 0:
            impact[:, day] += amount
        elif scope == 1:
            impact[region == target, day] += amount
        else:
            impact[target, day] += amount
    return impact


def _timed(
    calendar: Calendar,
    rng: np.random.Generator,
    day: NDArray[np.int64],
    scope: NDArray[np.int64],
    target: NDArray[np.int64],
) -> Incidents:
    severity = severity_of(rng.random(day.size))
    started = calendar.at(day.astype(np.int64)) + (rng.random(day.size) * 20 * HOUR_US).astype(np.int64)
    hours = np.asarray(_HOURS_MEDIAN)[severity] * np.exp(0.6 * rng.standard_normal(day.size))
    ended = started + (np.clip(hours, 0.1, 72.0) * HOUR_US).astype(np.int64)
    return Incidents(
        day.astype(np.int64), started, ended, scope.astype(np.int64), target.astype(np.int64), severity
    )


def incident_table(incidents: Incidents, targets: Sequence[str], prefix: str, end_us: int) -> pa.Table:
    """Return *incidents* as rows of the `incidents` table.

    Args:
        incidents: m incidents.
        targets: Value of `scope_id` by target number (regions or accounts); unused for the scope `all`.
        prefix: Start of the ids, unique in the world.
        end_us: End of data; an incident that is not over by then has no end.
    """
    m = incidents.day.size
    return pa.table(
        {
            "incident_id": pa.array([f"{prefix}-{k:05d}" for k in range(m)], pa.string()),
            "started_at": pa.array(incidents.started).cast(_TIME),
            "ended_at": pa.array(incidents.ended, mask=incidents.ended > end_us).cast(_TIME),
            "scope": pa.array([_SCOPES[s] for s in incidents.scope], pa.string()),
            "scope_id": pa.array(
                [
                    None if s == 0 else targets[t]
                    for s, t in zip(incidents.scope, incidents.target, strict=True)
                ],
                pa.string(),
            ),
            "severity": pa.array([SEVERITIES[s] for s in incidents.severity], pa.string()),
        }
    )
