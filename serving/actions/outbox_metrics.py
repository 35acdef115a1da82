"""The outbox in numbers, for Prometheus: what was sent to each target, and what waits for it.

A label names a target by its kind or its host: an address may hold secrets in its path, a file says where things lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from serving import metrics

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from serving.actions.outbox_row import Backlog


def label(target: str) -> str:
    """Return the name of *target* in metrics: `log`, `file`, or the scheme, host and port of an address."""
    if target.startswith(("https://", "http://")):
        parts = urlsplit(target)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}"
    return target.partition(":")[0]


def count(target: str, outcome: Literal["delivered", "retried", "dead"]) -> None:
    """Count what came of one attempt to bring an effect to *target*."""
    metrics.outbox_deliveries(label(target), outcome).inc()


def show(found: Iterable[Backlog], targets: Iterable[str], now: dt.datetime) -> None:
    """Set what waits for each target.

    Args:
        found: What waits, by target; what is not named has nothing waiting.
        targets: Targets that are there also if nothing waits for them.
        now: The service's time.
    """
    waiting: dict[str, dict[str, int]] = {}
    oldest: dict[str, float] = {}
    for target in targets:
        waiting[label(target)] = {"pending": 0, "scheduled": 0, "dead": 0}
    for one in found:
        name = label(one.target)
        sums = waiting.setdefault(name, {"pending": 0, "scheduled": 0, "dead": 0})
        sums["pending"] += one.pending
        sums["scheduled"] += one.scheduled
        sums["dead"] += one.dead
        if one.due_since is not None:
            oldest[name] = max(oldest.get(name, 0.0), (now - one.due_since).total_seconds())
    for name, sums in waiting.items():
        for state, amount in sums.items():
            metrics.OUTBOX_EVENTS.labels(name, state).set(amount)
        metrics.OUTBOX_OLDEST_SECONDS.labels(name).set(oldest.get(name, 0.0))
