"""How long the graph of a candidate takes, and that of the champion beside it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.evaluation.compare import OpenBundle

_ROUNDS = 60
_CALLS_A_ROUND = 5
_TIMED_ROWS = 32


@dataclass(frozen=True, slots=True)
class Timing:
    """Time of a call for one account, with contributions.

    Attributes:
        candidate_us: Median of the rounds in microseconds.
        champion_us: The same of the champion, or None.
        ratio: Median of the rounds' ratios, candidate over champion, or None.
    """

    candidate_us: float
    champion_us: float | None
    ratio: float | None


def time_graphs(candidate: OpenBundle, champion: OpenBundle | None, clock: Callable[[], float]) -> Timing:
    """Time one-row calls of both graphs in turns, so that a busy machine slows both alike.

    Intervals and outlook are switched off, since a champion of an earlier release may have none; `time_further` times
    them.

    Args:
        candidate: A bundle.
        champion: Another, or None.
        clock: Returns seconds, such as `time.perf_counter`.
    """
    bundles = [candidate] if champion is None else [candidate, champion]
    generator = np.random.default_rng(0)
    calls = []
    for one in bundles:
        width = len(one.manifest.contract.model_features)
        matrix = generator.normal(size=(_TIMED_ROWS, width)) * 10
        names = [output.name for output in one.session.get_outputs()]
        calls.append((one.session, names, _feeds(one, matrix, further=False)))
    times: list[list[float]] = [[] for _ in bundles]
    for number in range(_ROUNDS + 1):
        order = range(len(bundles)) if number % 2 else reversed(range(len(bundles)))
        for which in order:
            session, names, feeds = calls[which]
            begin = clock()
            for call in range(_CALLS_A_ROUND):
                session.run(names, feeds[(number * _CALLS_A_ROUND + call) % _TIMED_ROWS])
            if number:  # the first round warms up
                times[which].append((clock() - begin) / _CALLS_A_ROUND * 1e6)
    if champion is None:
        return Timing(statistics.median(times[0]), None, None)
    ratio = statistics.median(ours / theirs for ours, theirs in zip(*times, strict=True) if theirs > 0)
    return Timing(statistics.median(times[0]), statistics.median(times[1]), ratio)


def time_further(candidate: OpenBundle, clock: Callable[[], float]) -> float | None:
    """Return how many times as long a call with intervals and outlook takes as one without, both in turns.

    Args:
        candidate: A bundle; None comes back if its graph has neither.
        clock: Returns seconds.
    """
    if switches(candidate) == ["explain"]:
        return None
    width = len(candidate.manifest.contract.model_features)
    matrix = np.random.default_rng(0).normal(size=(_TIMED_ROWS, width)) * 10
    names = [output.name for output in candidate.session.get_outputs()]
    kinds = [_feeds(candidate, matrix, further=further) for further in (False, True)]
    ratios = []
    for number in range(_ROUNDS + 1):
        spent = []
        for feeds in kinds:
            begin = clock()
            for call in range(_CALLS_A_ROUND):
                candidate.session.run(names, feeds[(number * _CALLS_A_ROUND + call) % _TIMED_ROWS])
            spent.append(clock() - begin)
        if number and spent[0] > 0:
            ratios.append(spent[1] / spent[0])
    return statistics.median(ratios) if ratios else None


def switches(bundle: OpenBundle) -> list[str]:
    """Return the optional inputs of the bundle's graph."""
    return [value.name for value in bundle.session.get_overridable_initializers()]


def _feeds(
    bundle: OpenBundle, matrix: NDArray[np.float64], *, further: bool
) -> list[dict[str, NDArray[np.float64] | NDArray[np.bool_]]]:
    """Return the inputs of each row: reasons on, intervals and outlook as *further* says."""
    chosen = {name: np.array(further or name == "explain") for name in switches(bundle)}
    return [{"features": row[None, :], **chosen} for row in matrix]
