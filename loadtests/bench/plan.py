"""What is measured, how often and how long; quick in under three minutes, full in half an hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from loadtests.bench.workload import Kind

EVERYBODY: Final = ("constant", "floor", "ours", "ordinary", "fastapi-feast", "feast-server")
SCORERS: Final = ("floor", "ours", "ordinary", "fastapi-feast")
Model = Literal["closed", "open"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way of asking some servers.

    Attributes:
        name: What it is called in tables and in JSON.
        servers: Names of the servers that are asked, one after the other in each round.
        connections: Connections of the generator.
        rounds: How often.
        seconds: How long each time.
        rate: Requests a second, by the clock; 0 asks again as soon as an answer is there.
        kind: What to ask, if not what the server is usually asked.
        bulk_rate: Requests of 500 accounts a second beside it, on a connection of their own.
    """

    name: str
    servers: tuple[str, ...]
    connections: int
    rounds: int
    seconds: float
    rate: float = 0.0
    kind: Kind | None = None
    bulk_rate: float = 0.0

    @property
    def model(self) -> Model:
        """Whether the clock or the answers set the pace."""
        return "open" if self.rate else "closed"


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole benchmark.

    Attributes:
        name: `quick` or `full`.
        scenarios: By number of workers.
        warm_up_seconds: Before each measurement.
        starts: How often the service is started to time it.
        bulk_rounds: How often 500 accounts are read both ways.
        bulk_requests: Requests of 500 accounts a round.
        feast_readings: Readings by Feast's SDK a round.
    """

    name: str
    scenarios: dict[int, tuple[Scenario, ...]]
    warm_up_seconds: float
    starts: int
    bulk_rounds: int
    bulk_requests: int
    feast_readings: int


def closed(connections: int, servers: tuple[str, ...], rounds: int, seconds: float) -> Scenario:
    """Return a scenario in which each connection asks again as soon as it has its answer."""
    return Scenario(
        f"{connections} connections" if connections > 1 else "1 connection",
        servers,
        connections,
        rounds,
        seconds,
    )


HEADLINE: Final = "8 connections"
COMMON_RATE: Final = "100/s"
MIXED: Final = "200/s beside 500s"
DECISIONS: Final = "next best action"


def _constant_rates(rounds: int, seconds: float) -> tuple[Scenario, ...]:
    return (
        Scenario(COMMON_RATE, EVERYBODY, 32, rounds, seconds, rate=100),
        Scenario("1000/s", ("constant", "floor", "ours"), 32, rounds, seconds, rate=1000),
        Scenario(MIXED, ("ours",), 8, rounds, seconds, rate=200, bulk_rate=2),
        Scenario(DECISIONS, ("ours",), 8, rounds, seconds, kind="next_best_action"),
    )


FULL: Final = Plan(
    name="full",
    scenarios={
        1: (*(closed(count, EVERYBODY, 5, 4.0) for count in (1, 8, 32)), *_constant_rates(3, 5.0)),
        2: tuple(closed(count, EVERYBODY, 5, 4.0) for count in (1, 8, 32)),
    },
    warm_up_seconds=1.0,
    starts=5,
    bulk_rounds=5,
    bulk_requests=20,
    feast_readings=5,
)
QUICK: Final = Plan(
    name="quick",
    scenarios={
        1: (
            closed(8, EVERYBODY, 3, 2.0),
            closed(1, ("floor", "ours"), 1, 2.0),
            closed(32, ("floor", "ours"), 1, 2.0),
            *_constant_rates(1, 2.0),
        )
    },
    warm_up_seconds=0.5,
    starts=1,
    bulk_rounds=2,
    bulk_requests=10,
    feast_readings=3,
)
