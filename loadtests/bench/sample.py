"""One measurement of one server, as a value, and the medians over rounds."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

QUANTILES: Final = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)


@dataclass(frozen=True, slots=True)
class Sample:
    """One server under one scenario in one round.

    Attributes:
        server: Name of the server.
        workers: Its workers.
        scenario: Name of the scenario.
        model: `closed` or `open`.
        connections: Connections of the generator.
        rate: Requests a second that were meant (open model), or 0.
        round: Number of the round, from 0.
        requests: Right answers.
        seconds: How long they took in all.
        errors: Number of failed requests, by what went wrong.
        latency_ms: Latency by quantile (`0.99`), in milliseconds.
        cpu_ms: Processor time of the server's processes a request, in milliseconds.
        store_cpu_ms: The same of the online store.
        rss_mb: Resident memory of the largest process, in MiB.
        rss_total_mb: Of all processes.
        generator_busy_ratio: Share of the time in which the generator was running; 1 would be its limit.
        late_p99_ms: By how much requests were sent after they were due, 99th percentile (open model).
    """

    server: str
    workers: int
    scenario: str
    model: str
    connections: int
    rate: float
    round: int
    requests: int
    seconds: float
    errors: dict[str, int]
    latency_ms: dict[str, float]
    cpu_ms: float
    store_cpu_ms: float
    rss_mb: float
    rss_total_mb: float
    generator_busy_ratio: float
    late_p99_ms: float

    @property
    def rps(self) -> float:
        """Right answers a second."""
        return self.requests / self.seconds

    @property
    def failed(self) -> int:
        """Number of failed requests."""
        return sum(self.errors.values())

    def quantile(self, share: float) -> float:
        """Return the latency in milliseconds that *share* of the requests did not exceed."""
        return self.latency_ms[str(share)]

    def to_json(self) -> dict[str, Any]:
        """Return it for the file of results."""
        return asdict(self) | {"rps": round(self.rps, 2)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Sample:
        """Return what `to_json` was made from."""
        return cls(**{name: inner for name, inner in value.items() if name != "rps"})


def latency_quantiles(latencies_ns: NDArray[np.int64]) -> dict[str, float]:
    """Return latencies in milliseconds by quantile; not a number if there is none."""
    if not len(latencies_ns):
        return {str(share): float("nan") for share in QUANTILES}
    found = np.quantile(latencies_ns, QUANTILES, method="higher") / 1e6
    return {str(share): round(float(value), 4) for share, value in zip(QUANTILES, found, strict=True)}


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, and the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of some values; not a number if there are none."""
        found = sorted(values)
        if not found:
            return cls(float("nan"), float("nan"), float("nan"))
        return cls(statistics.median(found), found[0], found[-1])


@dataclass(frozen=True, slots=True)
class Rounds:
    """All samples of one server under one scenario."""

    samples: tuple[Sample, ...]

    def spread(self, of: Callable[[Sample], float]) -> Spread:
        """Return the spread of some figure over the rounds."""
        return Spread.of(of(sample) for sample in self.samples)

    @property
    def rps(self) -> Spread:
        """Requests a second."""
        return self.spread(lambda sample: sample.rps)

    def quantile(self, share: float) -> Spread:
        """Return a latency in milliseconds."""
        return self.spread(lambda sample: sample.quantile(share))

    @property
    def failed(self) -> int:
        """Failed requests of all rounds."""
        return sum(sample.failed for sample in self.samples)


def select(samples: Sequence[Sample], server: str, scenario: str, workers: int = 1) -> Rounds:
    """Return the rounds of one server under one scenario."""
    return Rounds(
        tuple(
            one for one in samples if (one.server, one.scenario, one.workers) == (server, scenario, workers)
        )
    )


def ratio(samples: Sequence[Sample], server: str, other: str, scenario: str, workers: int = 1) -> Spread:
    """Return how many times the requests a second of *other* a server does, round by round."""
    ours = {one.round: one.rps for one in select(samples, server, scenario, workers).samples}
    theirs = {one.round: one.rps for one in select(samples, other, scenario, workers).samples}
    return Spread.of(
        ours[number] / theirs[number] for number in ours.keys() & theirs.keys() if theirs[number]
    )
