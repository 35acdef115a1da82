"""Curves for people: ROC, precision against recall, cumulative gain; each a few dozen points, exact at each point.

Rows of equal score move together, so that ties give no luck. Points are chosen evenly along the drawn curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 41
LEAST_FLAGGED = 10
"""Precision of fewer flagged rows jumps between 0 and 1 and says nothing; that curve begins here."""

_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of at most `POINTS` points: shape (m,) each."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def as_dict(self) -> dict[str, list[float]]:
        """Return the points for JSON, four decimals."""
        return {"x": np.round(self.x, _DECIMALS).tolist(), "y": np.round(self.y, _DECIMALS).tolist()}


def curves(label: NDArray[np.float64], score: NDArray[np.float64]) -> dict[str, Curve]:
    """Return the curves of a ranking; none if all rows have the same label.

    Args:
        label: Shape (n,), 0 or 1.
        score: Shape (n,), higher means more likely.

    Returns:
        `roc` (false-positive rate, true-positive rate), `precision_recall` (recall, precision) and `gain` (share of
        rows taken from the top, share of events among them). Gain over share is lift.
    """
    events = float(label.sum())
    if not 0 < events < len(label):
        return {}
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.concatenate((ordered[1:] != ordered[:-1], [True]))
    hits = np.cumsum(label[order])[last]
    taken = np.arange(1, len(label) + 1, dtype=np.float64)[last]
    steady = taken >= min(LEAST_FLAGGED, len(label))
    start = np.zeros(1)
    recall = np.concatenate([start, hits / events])
    false = np.concatenate([start, (taken - hits) / (len(label) - events)])
    return {
        "roc": _thinned(false, recall),
        "precision_recall": _thinned(recall[1:][steady], (hits / taken)[steady]),
        "gain": _thinned(np.concatenate([start, taken / len(label)]), recall),
    }


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64], points: int = POINTS) -> Curve:
    """Keep at most *points* vertices, the first and the last among them, evenly spaced along x and in number."""
    if len(x) <= points:
        return Curve(x, y)
    half = points // 2
    spaced = np.searchsorted(x, np.linspace(x[0], x[-1], points - half), side="left")
    top = np.unique(np.geomspace(1, len(x), half).astype(np.intp) - 1)
    kept = np.unique(np.concatenate([[0], spaced.clip(0, len(x) - 1), top, [len(x) - 1]]))
    return Curve(x[kept], y[kept])
