"""Expected performance of a calibrated head on rows whose labels are not known yet.

A label of 90 days is known 90 days late. Until then the probabilities themselves say how well they should do, if they
are calibrated: of rows of probability p, a share p are events. This is confidence-based performance estimation
(Guillory et al. 2021; Garg et al. 2022). It sees that accounts became harder or easier to tell apart. It can't see
concept drift: if the same features come to mean another risk, probabilities stay, and this estimate stays with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.bootstrap import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASSUMPTION = "assumes calibrated probabilities; a change of what features mean (concept drift) is not seen"
CONFIDENCE = 0.95
_CHUNK_CELLS = 2_000_000
_UNDEFINED = Estimate(np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected figures of one head and horizon; the interval holds the realised figure in 95 % of cases.

    Attributes:
        rows: Rows looked at.
        accounts: Accounts among them.
        events: Expected number of events.
        roc_auc: Area under the ROC curve.
        brier: Mean squared difference of label and probability.
        flagged: Share of rows at or above the threshold; known, not estimated.
        precision: Share of events among flagged rows; NaN without a threshold.
        recall: Share of events that are flagged; NaN without a threshold.
    """

    rows: int
    accounts: int
    events: Estimate
    roc_auc: Estimate
    brier: Estimate
    flagged: Estimate
    precision: Estimate
    recall: Estimate

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        figures = ("events", "roc_auc", "brier", "flagged", "precision", "recall")
        return {
            "rows": self.rows,
            "accounts": self.accounts,
            **{name: getattr(self, name).as_dict() for name in figures},
        }


def expected_roc_auc(probability: NDArray[np.float64]) -> float:
    """Return the expected ROC AUC of calibrated probabilities, NaN if it is undefined.

    It is the sum over pairs i != j of p_i (1 - p_j) where p_i > p_j, ties half, over the same sum without that
    condition: expected wins over expected pairs of an event and a non-event. Sorting makes it n log n.

    Args:
        probability: Shape (n,).
    """
    p = np.sort(probability)
    if not len(p):
        return float("nan")
    starts = np.flatnonzero(np.concatenate(([True], p[1:] != p[:-1])))
    events, others = np.add.reduceat(p, starts), np.add.reduceat(1 - p, starts)
    itself = float(p @ (1 - p))  # a row is not paired with itself
    wins = float(events @ (np.cumsum(others) - 0.5 * others)) - 0.5 * itself
    pairs = float(p.sum() * (1 - p).sum()) - itself
    return wins / pairs if pairs > 0 else float("nan")


def expected_performance(
    probability: NDArray[np.float64],
    account_id: NDArray[np.object_],
    *,
    threshold: float | None,
    samples: int,
    seed: int,
) -> Expected:
    """Return how well *probability* should do, with 95 % intervals from drawing labels out of it.

    Rows of one account are drawn with one random number: they resemble one another, and as independent rows they would
    make the intervals too narrow.

    Args:
        probability: Shape (n,), calibrated, within 0 and 1.
        account_id: Shape (n,).
        threshold: From which probability on a row is flagged; None if the head has none.
        samples: Draws of labels behind every interval.
        seed: Their seed.

    Raises:
        ValueError: A probability is not within 0 and 1.
    """
    p = np.asarray(probability, dtype=np.float64)
    if not bool(np.all((p >= 0) & (p <= 1))):
        raise ValueError("probabilities must lie within 0 and 1")
    if not len(p):
        return Expected(0, 0, *([_UNDEFINED] * 6))
    flagged = np.zeros(len(p)) if threshold is None else (p >= threshold).astype(np.float64)
    _, of_row = np.unique(np.asarray(account_id).astype(str), return_inverse=True)
    accounts = int(of_row.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_CELLS // len(p))
    drawn = np.concatenate(
        [
            _realised(
                (rng.random((min(step, samples - start), accounts))[:, of_row] < p).astype(np.float64),
                p,
                flagged,
            )
            for start in range(0, samples, step)
        ]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (
            p.sum(),
            expected_roc_auc(p),
            float(np.mean(p * (1 - p))),
            flagged @ p / flagged.sum(),
            flagged @ p / p.sum(),
        )
    events, roc_auc, brier, precision, recall = (
        _estimate(float(value), drawn[:, column]) for column, value in enumerate(values)
    )
    if threshold is None:
        share, precision, recall = _UNDEFINED, _UNDEFINED, _UNDEFINED
    else:
        share = Estimate(*[float(flagged.mean())] * 3)
    return Expected(len(p), accounts, events, roc_auc, brier, share, precision, recall)


def _realised(
    label: NDArray[np.float64], p: NDArray[np.float64], flagged: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return events, ROC AUC, Brier score, precision and recall of labels of shape (b, n), as shape (b, 5)."""
    events = label.sum(axis=1)
    others = label.shape[1] - events
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack(
            [
                events,
                (label @ _middle_ranks(p) - events * (events + 1) / 2) / (events * others),
                (label @ (1 - 2 * p) + p @ p) / label.shape[1],
                label @ flagged / flagged.sum(),
                label @ flagged / events,
            ]
        )


def _middle_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1 on, equal values sharing the middle of theirs, shape (n,)."""
    _, of_value, count = np.unique(values, return_inverse=True, return_counts=True)
    middle: NDArray[np.float64] = (np.cumsum(count) - (count - 1) / 2)[of_value]
    return middle


def _estimate(value: float, drawn: NDArray[np.float64]) -> Estimate:
    told = drawn[np.isfinite(drawn)]
    if not len(told) or not np.isfinite(value):
        return _UNDEFINED
    low, high = np.quantile(told, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Estimate(value, float(low), float(high))
