"""How long the graph of a candidate takes, and that of the champion beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from training.evaluation.compare import OpenBundle

_PAIRS = 300
_ROWS = 32
_LEAST_SECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class Timing:
    """Time of the fastest call for one account, with contributions.

    Attributes:
        candidate_us: In microseconds.
        champion_us: The same of the champion, or None.
    """

    candidate_us: float
    champion_us: float | None

    @property
    def ratio(self) -> float | None:
        """Candidate over champion, or None."""
        return None if self.champion_us is None else self.candidate_us / self.champion_us


def time_graphs(
    candidate: OpenBundle, champion: OpenBundle | None, clock: Callable[[], float], *, further: bool = False
) -> Timing:
    """Time one-row calls of both graphs in turns.

    Args:
        candidate: A bundle.
        champion: Another, or None.
        clock: Returns seconds, such as `time.perf_counter`.
        further: Whether intervals and outlook are switched on; a champion of an earlier release may have none.
    """
    bundles = [candidate] if champion is None else [candidate, champion]
    spent = _fastest([_calls(one, further=further) for one in bundles], clock)
    return Timing(spent[0] * 1e6, spent[1] * 1e6 if champion is not None else None)


def has_further(bundle: OpenBundle) -> bool:
    """Return whether the bundle's graph has intervals or an outlook to switch on."""
    return switches(bundle) != ["explain"]


def time_further(candidate: OpenBundle, clock: Callable[[], float]) -> float:
    """Return how many times as long a call with intervals and outlook takes as one without, both in turns.

    Args:
        candidate: A bundle that has them.
        clock: Returns seconds.
    """
    core, whole = _fastest([_calls(candidate, further=False), _calls(candidate, further=True)], clock)
    return whole / core


def _fastest(calls: Sequence[Callable[[int], None]], clock: Callable[[], float]) -> list[float]:
    """Return the seconds of the fastest of many calls of each, made in turns that swap.

    What else the machine does only ever adds time, and more often to a longer call, so that means and medians measure
    that, too; the fastest of hundreds of calls is the one that nothing came between.

    Args:
        calls: Each takes the number of the row that it should be about.
        clock: Returns seconds.
    """
    fastest = [np.inf] * len(calls)
    for number in range(_PAIRS + 1):
        order = range(len(calls)) if number % 2 else reversed(range(len(calls)))
        for which in order:
            begin = clock()
            calls[which](number % _ROWS)
            spent = clock() - begin
            if number:  # the first turn warms up
                fastest[which] = min(fastest[which], spent)
    return [max(float(one), _LEAST_SECONDS) for one in fastest]


def _calls(bundle: OpenBundle, *, further: bool) -> Callable[[int], None]:
    """Return a call of the bundle's graph for one row."""
    width = len(bundle.manifest.contract.model_features)
    matrix = np.random.default_rng(0).normal(size=(_ROWS, width)) * 10
    names = [output.name for output in bundle.session.get_outputs()]
    feeds = _feeds(bundle, matrix, further=further)

    def call(row: int) -> None:
        bundle.session.run(names, feeds[row])

    return call


def switches(bundle: OpenBundle) -> list[str]:
    """Return the switches of the bundle's graph: its optional inputs that say what is computed."""
    return [
        value.name for value in bundle.session.get_overridable_initializers() if value.type == "tensor(bool)"
    ]


def _feeds(
    bundle: OpenBundle, matrix: NDArray[np.float64], *, further: bool
) -> list[dict[str, NDArray[np.float64] | NDArray[np.bool_]]]:
    """Return the inputs of each row: reasons on, intervals and outlook as *further* says."""
    chosen = {name: np.array(further or name == "explain") for name in switches(bundle)}
    return [{"features": row[None, :], **chosen} for row in matrix]
