"""What is held back reaches Prometheus' client whole, soon, and before anybody reads."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.metrics_buffer import FLUSH_SECONDS, BufferedCounter, BufferedGauge, BufferedHistogram, flush

BOUNDS = (0.1, 1.0, 5.0)
AMOUNTS = (0.0, 0.05, 0.1, 0.100001, 1.0, 3.0, 5.0, 7.0)


def samples(registry: CollectorRegistry) -> dict[str, float]:
    """Return every value but times of creation, by name and bound."""
    return {
        f"{sample.name}{sample.labels.get('le', '')}": sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_a_buffered_histogram_counts_as_the_client_does() -> None:
    """Bucket by bucket and in the sum it equals the client's own, at the bounds too, over several flushes."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    buffered = BufferedHistogram(Histogram("h", "h", buckets=BOUNDS, registry=ours), BOUNDS)
    direct = Histogram("h", "h", buckets=BOUNDS, registry=theirs)
    for _ in range(2):
        for amount in AMOUNTS:
            buffered.observe(amount)
            direct.observe(amount)
        buffered.observe(0.5, 3)
        for _ in range(3):
            direct.observe(0.5)
        flush()
        assert samples(ours) == samples(theirs)


async def test_counts_arrive_without_a_reader() -> None:
    """Under an event loop, what is counted is handed on within a twentieth of a second."""
    registry = CollectorRegistry()
    counter = BufferedCounter(Counter("c", "c", registry=registry))
    gauge = BufferedGauge(Gauge("g", "g", registry=registry))
    counter.inc()
    counter.inc(4)
    gauge.add(3)
    gauge.add(-1)
    assert samples(registry)["c_total"] == 0.0
    await asyncio.sleep(3 * FLUSH_SECONDS)
    assert samples(registry) == {"c_total": 5.0, "g": 2.0}
    counter.inc()
    await asyncio.sleep(3 * FLUSH_SECONDS)
    assert samples(registry)["c_total"] == 6.0
