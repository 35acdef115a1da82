"""What each combination of switches asks of a bundle's graph, planned once so that a request only looks it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.bundle.checks import DEPARTED_NAME, EXPLAIN_NAME, INTERVALS_NAME, OUTLOOK_NAME
from serving.bundle.outputs import (
    interval_outputs,
    outlook_outputs,
    winback_interval_outputs,
    winback_outputs,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle

_YES, _NO = np.array(True), np.array(False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one combination of switches asks of the graph, and how many rows a call may have.

    Attributes:
        names: Outputs in order, probabilities first, then contributions if they are among them.
        switches: Optional inputs by name.
        chunk_rows: Rows a call.
        intervals: Whether ends of intervals are among the outputs.
        outlook: Whether the outlook is.
        departed: Whether the chance of coming back is.
        winback_intervals: Whether its ends are, lower and upper.
    """

    names: list[str]
    switches: dict[str, NDArray[np.bool_]]
    chunk_rows: int
    intervals: bool
    outlook: bool
    departed: bool
    winback_intervals: bool


def make_plan(bundle: Bundle, *, contributions: bool, intervals: bool, outlook: bool, departed: bool) -> Plan:
    """Return the plan of one combination of switches; what *bundle* lacks is not asked for."""
    sizes, names = [bundle.chunk_rows], list(bundle.outputs.values())
    has_winback, ends = bundle.manifest.winback is not None, winback_interval_outputs(bundle.manifest)
    departed = departed and has_winback
    winback_intervals = intervals and departed and bool(ends)
    intervals, outlook = intervals and bundle.has_intervals, outlook and bundle.has_outlook
    switches = {EXPLAIN_NAME: _YES if contributions else _NO}
    if contributions:
        names.append(bundle.contributions_output)
        sizes.append(bundle.explained_chunk_rows)
    if bundle.has_intervals or ends:
        switches[INTERVALS_NAME] = _YES if intervals or winback_intervals else _NO
    if bundle.has_outlook:
        switches[OUTLOOK_NAME] = _YES if outlook else _NO
    if has_winback:
        switches[DEPARTED_NAME] = _YES if departed else _NO
    if intervals:
        names += [name for name, _ in interval_outputs(bundle.manifest)]
        sizes.append(bundle.interval_chunk_rows)
    if outlook:
        names += [name for name, _ in outlook_outputs(bundle.manifest)]
        sizes.append(bundle.outlook_chunk_rows)
    if departed:
        names += [name for name, _ in winback_outputs(bundle.manifest)]
    if winback_intervals:
        names += [name for name, _ in ends]
    return Plan(names, switches, min(sizes), intervals, outlook, departed, winback_intervals)
