"""What is said of win-back on test rows: against the base rate, and against the days since the end alone.

Most of who comes back and when may be told by how long the account has been away, so that is the yardstick: the rate of
training rows in ten groups of `days_since_end`, held against the same test rows. Intervals resample accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.miscalibration import observed_to_expected
from training.evaluation.reliability import equal_count_bins, reliability_curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GROUPS = 10
SHOWN_GROUPS = 5
PRIOR_ROWS = 20.0
"""Rows at the base rate that each group is mixed with, so that a group without an event does not say never."""


@dataclass(frozen=True, slots=True)
class RateByDays:
    """The rate of an event by groups of one column.

    Attributes:
        edges: Shape (g - 1,), where a group ends and the next begins.
        rates: Shape (g,).
        overall: The rate of all rows.
    """

    edges: NDArray[np.float64]
    rates: NDArray[np.float64]
    overall: float

    @classmethod
    def learn(cls, days: NDArray[np.float64], label: NDArray[np.float64]) -> RateByDays:
        """Learn from n > 0 rows: groups of equal count, each mixed with `PRIOR_ROWS` at the base rate."""
        edges = np.unique(np.quantile(days, np.linspace(0, 1, GROUPS + 1)[1:-1]))
        group = np.searchsorted(edges, days, side="right")
        count = np.bincount(group, minlength=len(edges) + 1)
        events = np.bincount(group, weights=label, minlength=len(edges) + 1)
        overall = float(label.mean())
        return cls(edges, (events + PRIOR_ROWS * overall) / (count + PRIOR_ROWS), overall)

    def of(self, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rate of the group of each of *days*."""
        return np.asarray(self.rates[np.searchsorted(self.edges, days, side="right")])


def winback_report(
    probability: NDArray[np.float64],
    label: NDArray[np.float64],
    account_id: NDArray[np.object_],
    *,
    base_rate: float,
    by_days: NDArray[np.float64],
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of one horizon's test rows, with 95 % intervals over accounts.

    Args:
        probability: Shape (n,), ours.
        label: Shape (n,), 0 or 1.
        account_id: Shape (n,).
        base_rate: Rate of the rows that were trained on.
        by_days: Shape (n,), what the days since the end alone say.
        samples: Resamples.
        seed: Their seed.
    """
    bootstrap = AccountBootstrap(account_id, samples=samples, seed=seed)
    flat = np.full(len(label), base_rate)
    said = {"keepgrow": probability, "base_rate": flat, "days_since_end": by_days}
    ours = _losses(label, probability)
    return {
        "rows": len(label),
        "accounts": len(set(account_id.tolist())),
        "events": int(label.sum()),
        "models": {
            name: {
                "roc_auc": bootstrap.estimate(_auc(label, one)).as_dict(),
                "log_loss": bootstrap.mean(_losses(label, one)).as_dict(),
                "brier": bootstrap.mean((label - one) ** 2).as_dict(),
            }
            for name, one in said.items()
        },
        "log_loss_gain": {
            name: bootstrap.mean(_losses(label, one) - ours).as_dict()
            for name, one in said.items()
            if name != "keepgrow"
        },
        "observed_to_expected": bootstrap.estimate(
            lambda weight: observed_to_expected(label, probability, weight)
        ).as_dict(),
        "reliability": reliability_curve(
            account_id, label, probability, equal_count_bins(probability, SHOWN_GROUPS)
        ),
    }


def _losses(label: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return metrics.class_losses(np.column_stack([1 - probability, probability]), label.astype(np.intp))


def _auc(
    label: NDArray[np.float64], probability: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda weight: metrics.roc_auc(label, probability, weight)
