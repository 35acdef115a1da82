"""Choosing a decision threshold on validation rows: precision first, and honest when that can't be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import beta

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.definitions import ThresholdPolicy


@dataclass(frozen=True, slots=True)
class Threshold:
    """A chosen threshold and why it was chosen.

    Attributes:
        value: Probabilities at or above it are flagged.
        rule: `precision_first` if the target was reached, `max_f1` if not, `none` if there was no event to choose by.
        sentence: The choice in words.
    """

    value: float
    rule: Literal["precision_first", "max_f1", "none"]
    sentence: str


def clopper_pearson_low(
    hits: NDArray[np.float64], flagged: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    """Return the one-sided lower bound of a share (Clopper and Pearson 1934), elementwise; 0 without hits."""
    with np.errstate(invalid="ignore"):
        low = beta.ppf(1 - confidence, hits, flagged - hits + 1)
    return np.asarray(np.where(hits > 0, low, 0.0), dtype=np.float64)


def choose_threshold(
    label: NDArray[np.float64], probability: NDArray[np.float64], policy: ThresholdPolicy
) -> Threshold:
    """Choose the smallest threshold whose precision surely reaches the target, else the one of the largest F1.

    Args:
        label: Shape (n,), 0 or 1.
        probability: Shape (n,).
        policy: Target, confidence and the fewest rows that a threshold must flag.
    """
    if not label.any():
        return Threshold(
            1.0, "none", "validation holds no event, so no threshold can be judged; 1.0 flags nobody"
        )
    order = np.argsort(-probability, kind="stable")
    ordered = probability[order]
    last_of_tie = np.concatenate((ordered[1:] != ordered[:-1], [True]))
    values = ordered[last_of_tie]
    hits = np.cumsum(label[order])[last_of_tie]
    flagged = np.arange(1, len(label) + 1, dtype=np.float64)[last_of_tie]
    enough = flagged >= min(policy.min_alerts, len(label))
    low = clopper_pearson_low(hits, flagged, policy.confidence)
    reached = np.flatnonzero(enough & (low >= policy.target_precision))
    if len(reached):
        best = int(reached[-1])
        return Threshold(
            float(values[best]),
            "precision_first",
            f"precision on validation is {hits[best] / flagged[best]:.0%}, with {policy.confidence:.0%} confidence at "
            f"least {low[best]:.0%} (target {policy.target_precision:.0%})",
        )
    f1 = np.where(enough, 2 * hits / (flagged + label.sum()), -1.0)
    best = int(np.argmax(f1))
    return Threshold(
        float(values[best]),
        "max_f1",
        f"no threshold reaches {policy.target_precision:.0%} precision with {policy.confidence:.0%} confidence on "
        f"validation; this one has the largest F1 ({f1[best]:.2f}) there",
    )
