"""What an account's probabilities mean in its own currency, and when an expansion would come.

Nothing is converted: amounts are in the currency of the MRR that is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Revenue:
    """Revenue a year in one currency; None where MRR or currency is not known.

    Attributes:
        currency: ISO 4217 code.
        revenue_at_risk: Probability of churn by the horizon, times a year of MRR.
        extra_mrr_if_expands: Expected extra MRR, given that the account expands.
        expected_incremental_revenue: Probability of expansion by the horizon, times a year of that extra MRR.
    """

    currency: str | None
    revenue_at_risk: float | None
    extra_mrr_if_expands: float | None
    expected_incremental_revenue: float | None

    def to_dict(self) -> dict[str, str | float | None]:
        """Return the value as an HTTP answer shows it, amounts to the cent."""
        return {
            "currency": self.currency,
            "revenue_at_risk": _cents(self.revenue_at_risk),
            "extra_mrr_if_expands": _cents(self.extra_mrr_if_expands),
            "expected_incremental_revenue": _cents(self.expected_incremental_revenue),
        }


def revenue_at_risk(mrr: float | None, churn_probability: float) -> float | None:
    """Return the probability of churn by a horizon, times a year of MRR; None if MRR is not known.

    Args:
        mrr: Monthly recurring revenue; None, NaN or a negative number if not known.
        churn_probability: By the horizon that the amount is told for.
    """
    if mrr is None or not (mrr >= 0.0 and math.isfinite(mrr)):
        return None
    return churn_probability * mrr * MONTHS


def revenue(
    *,
    mrr: float | None,
    currency: str | None,
    churn_probability: float,
    upsell_probability: float,
    extra_mrr_ratio: float | None,
) -> Revenue:
    """Return what is at stake for one account.

    Args:
        mrr: Monthly recurring revenue; None, NaN or a negative number if not known.
        currency: Its currency; None if not known, and then there is no amount.
        churn_probability: By the horizon that the amounts are told for.
        upsell_probability: Likewise.
        extra_mrr_ratio: Expected extra MRR over MRR, given expansion; None or NaN if not known.
    """
    at_risk = revenue_at_risk(mrr, churn_probability)
    if currency is None or mrr is None or at_risk is None:
        return Revenue(currency, None, None, None)
    if extra_mrr_ratio is None or not math.isfinite(extra_mrr_ratio):
        return Revenue(currency, at_risk, None, None)
    extra = extra_mrr_ratio * mrr
    return Revenue(currency, at_risk, extra, upsell_probability * extra * MONTHS)


def expected_days_to_event(horizons_days: Sequence[int], probabilities: Sequence[float]) -> float | None:
    """Return the expected days until the event, given that it happens by the last horizon; None if it can't.

    Within an interval the event is taken to be equally likely on each day, so its mean day is the middle:
    `sum_k (P_k - P_{k-1}) * (d_{k-1} + d_k) / 2 / P_last`.

    Args:
        horizons_days: Increasing, above zero.
        probabilities: Of the event by each horizon, never falling.

    Raises:
        ValueError: They are not as many.
    """
    total, before, start = 0.0, 0.0, 0
    for days, probability in zip(horizons_days, probabilities, strict=True):
        total += (probability - before) * (start + days) / 2.0
        before, start = probability, days
    return total / before if before > 0.0 else None


def _cents(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 2)
