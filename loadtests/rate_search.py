"""Searches for the highest rate at which a service still holds a limit: upwards by a factor, then between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one rate.

    Attributes:
        rate: Requests a second that were sent, by the clock.
        requests: Requests that were answered or failed.
        errors: Those that failed.
        p50_ms: Median time from when a request was due to its answer.
        p99_ms: 99th percentile of the same.
        busy_ratio: Share of the time in which the load generator itself was running.
        held: Whether the limit was held.
    """

    rate: float
    requests: int
    errors: int
    p50_ms: float
    p99_ms: float
    busy_ratio: float
    held: bool


def judge(
    rate: float, latencies_ms: Sequence[float], errors: int, busy_ratio: float, *, limit_ms: float
) -> Step:
    """Return the step of a rate: it is held if nothing failed and the 99th percentile is under *limit_ms*."""
    ordered = sorted(latencies_ms)
    p99 = percentile(ordered, 0.99)
    return Step(
        rate=rate,
        requests=len(ordered) + errors,
        errors=errors,
        p50_ms=percentile(ordered, 0.5),
        p99_ms=p99,
        busy_ratio=busy_ratio,
        held=bool(ordered) and errors == 0 and p99 < limit_ms,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the least of ascending values that *share* of them do not exceed; infinite if there are none."""
    return ordered[math.ceil(len(ordered) * share) - 1] if ordered else math.inf


def highest_held(steps: Sequence[Step]) -> Step | None:
    """Return the highest step held below the lowest one that was not; None if there is none."""
    lowest_missed = min((step.rate for step in steps if not step.held), default=math.inf)
    held = [step for step in steps if step.held and step.rate < lowest_missed]
    return max(held, key=lambda step: step.rate, default=None)


def next_rate(
    steps: Sequence[Step], *, first: float, most: float, factor: float = 1.5, nearness: float = 1.1
) -> float | None:
    """Return the rate to try next, or None when the search is over.

    Args:
        steps: What was tried, in order.
        first: Rate to begin with.
        most: Rate not to exceed.
        factor: Between one rate and the next while all are held.
        nearness: The search ends when the lowest rate missed is at most this many times the highest held.
    """
    if not steps:
        return first
    best = highest_held(steps)
    missed = min((step.rate for step in steps if not step.held), default=None)
    if missed is None:
        rate = max(step.rate for step in steps)
        return min(rate * factor, most) if rate < most else None
    if best is None:
        return None
    return math.sqrt(best.rate * missed) if missed / best.rate > nearness else None
