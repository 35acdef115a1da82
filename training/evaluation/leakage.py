"""Features that know the answer: one that alone ranks events almost perfectly, or a value that only events have.

Leaks come as numbers, as categories, as codes whose order means nothing, and as values that are missing (a field that
is filled when an account leaves, or emptied). All four are looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.baselines import Column, single_feature_auc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.limits import LeakageLimits

_MOST_VALUES = 20
_MOST_COMMON = 0.5


@dataclass(frozen=True, slots=True)
class Leak:
    """A column that most likely knows the answer, and how that was seen."""

    column: str
    sentence: str


@dataclass(frozen=True, slots=True)
class LeakSearch:
    """What came of looking for leaks in the rows of one head and horizon.

    Attributes:
        auc: How well each column alone ranks events, shape (columns,), at least 0.5.
        leaks: Columns beyond the limits; none where there are too few events to tell.
        events: Number of events.
    """

    auc: NDArray[np.float64]
    leaks: tuple[Leak, ...]
    events: int


def find_leaks(
    matrix: NDArray[np.float64], label: NDArray[np.float64], columns: Sequence[Column], limits: LeakageLimits
) -> LeakSearch:
    """Look at each column alone.

    Args:
        matrix: Shape (n, columns), missing as NaN.
        label: Shape (n,), 0 or 1.
        columns: What the columns hold.
        limits: AUC, and precision and recall of a single value; with how few events nothing is looked for.
    """
    events = int(label.sum())
    auc = np.full(len(columns), 0.5)
    if not 0 < events < len(label):
        return LeakSearch(auc, (), events)
    auc = single_feature_auc(matrix, label, columns)
    for position, column in enumerate(columns):
        codes = None if column.categories else _codes(matrix[:, position])
        if codes is not None:
            as_category = single_feature_auc(codes[:, None], label, [Column(column.name, _MOST_VALUES + 1)])
            auc[position] = max(auc[position], as_category[0])
    if events < limits.min_events:
        return LeakSearch(auc, (), events)
    leaks = []
    for position, column in enumerate(columns):
        told = (
            f"{column.name} (AUC {auc[position]:.3f})"
            if auc[position] > limits.max_single_feature_auc
            else _telling_value(matrix[:, position], label, column, limits)
        )
        if told:
            leaks.append(Leak(column.name, told))
    return LeakSearch(auc, tuple(leaks), events)


def _codes(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the rank of each value among the few that there are (a missing one is the first), or None if many."""
    distinct = np.unique(values[~np.isnan(values)])
    if not 1 < len(distinct) <= _MOST_VALUES:
        return None
    return np.where(np.isnan(values), 0, np.searchsorted(distinct, values) + 1).astype(np.float64)


def _telling_value(
    values: NDArray[np.float64], label: NDArray[np.float64], column: Column, limits: LeakageLimits
) -> str | None:
    """Name the value that holds a good part of all events and almost nothing else, if there is one."""
    missing = np.isnan(values)
    candidates = [("missing", missing)]
    filled, counts = np.unique(values[~missing], return_counts=True)
    # Only a value in as many rows as the rule asks events for can break it.
    for value in filled[counts >= limits.rule_min_recall * label.sum()].tolist():
        name = f"category {value:.0f}" if column.categories else f"{value:g}"
        candidates.append((name, values == value))
    for name, mask in candidates:
        inside, hits = float(mask.sum()), float(label[mask].sum())
        if (
            hits >= limits.min_events
            and inside <= _MOST_COMMON * len(label)
            and hits / inside > limits.rule_max_precision
            and hits / label.sum() >= limits.rule_min_recall
        ):
            return f"{column.name} ({hits / inside:.0%} of its rows that are {name} are events)"
    return None
