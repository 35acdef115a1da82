"""The bounds that the measurements must hold, in one table.

Ratios count; times depend on the machine and on what else it does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from loadtests.bench.bulk import BulkRound, speedup
from loadtests.bench.plan import COMMON_RATE, DECISIONS, EVERYBODY, HEADLINE, MIXED
from loadtests.bench.sample import Sample, ratio, select

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that has a bound.

    Attributes:
        key: Its place in the file of results, such as `score.p99_ms`.
        what: What it is, in words.
        value: The median over the rounds.
        least: Of the rounds.
        most: Of the rounds.
        direction: Whether the bound is the least or the most that the value may be.
        bound: The bound.
    """

    key: str
    what: str
    value: float
    least: float
    most: float
    direction: Literal["at least", "under"]
    bound: float

    @property
    def measured(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def passed(self) -> bool:
        """Whether the bound holds; False if nothing was measured."""
        return self.value >= self.bound if self.direction == "at least" else self.value < self.bound


OURS: Final = "ours"


def figures(samples: Sequence[Sample], bulk: list[BulkRound], starts: Sequence[float]) -> list[Figure]:
    """Return all figures that have a bound.

    Args:
        samples: All measurements.
        bulk: The rounds of 500 accounts.
        starts: Seconds that each start of the service took.
    """
    found: list[Figure] = []

    def add(
        key: str,
        what: str,
        values: tuple[float, float, float],
        direction: Literal["at least", "under"],
        bound: float,
    ) -> None:
        found.append(Figure(key, what, *values, direction, bound))

    def triple(spread: Any) -> tuple[float, float, float]:  # noqa: ANN401 - a Spread, taken apart
        return spread.median, spread.least, spread.most

    head = select(samples, OURS, HEADLINE)
    to_floor, to_ordinary = (
        ratio(samples, OURS, "floor", HEADLINE),
        ratio(samples, OURS, "ordinary", HEADLINE),
    )
    add("score.rps_ratio_to_floor", "requests/s against the floor", triple(to_floor), "at least", 0.8)
    add(
        "score.rps_ratio_to_ordinary",
        "requests/s against the ordinary way",
        triple(to_ordinary),
        "at least",
        10,
    )
    add("score.p99_ms", "p99 at 8 connections, ms", triple(head.quantile(0.99)), "under", 10)
    add("score.p999_ms", "p99.9 at 8 connections, ms", triple(head.quantile(0.999)), "under", 20)
    decisions = select(samples, OURS, DECISIONS)
    add("next_best_action.p99_ms", "next best action, p99, ms", triple(decisions.quantile(0.99)), "under", 20)
    mixed = select(samples, OURS, MIXED)
    add("mixed.p99_ms", "one account beside 500s, p99, ms", triple(mixed.quantile(0.99)), "under", 20)
    paced = select(samples, OURS, COMMON_RATE)
    add("paced.p99_ms", "100 requests/s by the clock, p99, ms", triple(paced.quantile(0.99)), "under", 10)
    add(
        "bulk500.speedup_over_feast_sdk",
        "500 accounts against Feast's SDK",
        triple(speedup(bulk)),
        "at least",
        20,
    )
    ordered = sorted(starts) or [math.nan]
    middle = ordered[len(ordered) // 2]
    add("start_seconds", "start to first answer, s", (middle, ordered[0], ordered[-1]), "under", 5)
    memory = [one.rss_mb for one in samples if one.server == OURS]
    most = max(memory, default=math.nan)
    add(
        "rss_mb", "largest memory of a worker, MiB", (most, min(memory, default=math.nan), most), "under", 250
    )
    failed = float(sum(one.failed for one in samples if one.server == OURS))
    add("errors", "failed requests to the service", (failed, failed, failed), "under", 1)
    busiest = max((one.generator_busy_ratio for one in samples if one.server != "constant"), default=math.nan)
    add("generator.busy_ratio", "load generator, busiest", (busiest, busiest, busiest), "under", 0.8)
    add(
        "generator.headroom_ratio",
        "constant answers/s against the fastest server",
        _headroom(samples),
        "at least",
        2,
    )
    return found


def _headroom(samples: Sequence[Sample]) -> tuple[float, float, float]:
    rates = {name: select(samples, name, HEADLINE).rps.median for name in EVERYBODY}
    others = [rate for name, rate in rates.items() if name != "constant" and not math.isnan(rate)]
    fastest = max(others, default=math.nan)
    headroom = rates["constant"] / fastest
    return headroom, headroom, headroom


def nested(found: Sequence[Figure]) -> dict[str, Any]:
    """Return the values as nested objects: `score.p99_ms` becomes `{"score": {"p99_ms": ...}}`."""
    result: dict[str, Any] = {}
    for figure in found:
        *folders, name = figure.key.split(".")
        place = result
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = round(figure.value, 4) if figure.measured else None
    return result
