"""Counts that a request adds to in plain memory, and that go on to Prometheus' client together.

With several workers that client keeps its values in mapped files, and each observation costs it several
microseconds and a lock. What is held back here is written 50 ms after it came, and before metrics are read.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Counter, Gauge, Histogram

FLUSH_SECONDS: Final = 0.05


class Buffered(Protocol):
    """A metric that holds something back."""

    def flush(self) -> None:
        """Hand on what is held back."""


_waiting: set[Buffered] = set()
_timers: dict[asyncio.AbstractEventLoop, asyncio.TimerHandle] = {}


def flush() -> None:
    """Hand on what every metric of this process holds back."""
    for timer in _timers.values():
        timer.cancel()
    _timers.clear()
    while _waiting:
        _waiting.pop().flush()


def _hold(metric: Buffered) -> None:
    """Remember that *metric* holds something back, and see to it that it is handed on soon."""
    _waiting.add(metric)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # no event loop: it is handed on when metrics are read
        return
    if loop not in _timers:
        _timers[loop] = loop.call_later(FLUSH_SECONDS, flush)


class BufferedHistogram:
    """A histogram, or one child of it."""

    __slots__ = ("_bounds", "_counts", "_held", "_histogram", "_sum")

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        """Stand before *histogram*, whose finite upper *bounds* ascend."""
        self._histogram = histogram
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._held = False

    def observe(self, amount: float, times: int = 1) -> None:
        """Count *amount*, which was observed so many *times*."""
        self._counts[bisect_left(self._bounds, amount)] += times
        self._sum += amount * times
        if not self._held:
            self._held = True
            _hold(self)

    def flush(self) -> None:
        """Hand on what is held back."""
        self._held = False
        # The client has no public way to count many observations at once.
        for bucket, count in enumerate(self._counts):
            if count:
                self._histogram._buckets[bucket].inc(count)  # noqa: SLF001
                self._counts[bucket] = 0
        self._histogram._sum.inc(self._sum)  # noqa: SLF001
        self._sum = 0.0


class BufferedCounter:
    """A counter, or one child of it."""

    __slots__ = ("_count", "_counter")

    def __init__(self, counter: Counter) -> None:
        """Stand before *counter*."""
        self._counter = counter
        self._count = 0

    def inc(self, count: int = 1) -> None:
        """Count *count* more."""
        if not self._count:
            _hold(self)
        self._count += count

    def flush(self) -> None:
        """Hand on what is held back."""
        self._counter.inc(self._count)
        self._count = 0


class BufferedGauge:
    """A gauge that goes up and down."""

    __slots__ = ("_gauge", "_held", "_value")

    def __init__(self, gauge: Gauge) -> None:
        """Stand before *gauge*."""
        self._gauge = gauge
        self._value = 0
        self._held = False

    def add(self, difference: int) -> None:
        """Change the value by *difference*."""
        self._value += difference
        if not self._held:
            self._held = True
            _hold(self)

    def flush(self) -> None:
        """Hand on the value."""
        self._held = False
        self._gauge.set(self._value)
