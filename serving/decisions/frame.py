"""The decision frame: everything that a decision about one account may look at, as plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from serving.features.rows import ContextValue

EvidenceStatus = Literal["full", "thin", "stale"]
CHURN = "churn_probability_"
UPSELL = "upsell_probability_"


@dataclass(frozen=True, slots=True)
class DecisionFrame:
    """What is known of one account at one time.

    Attributes:
        account_id: The account.
        now: The time of the decision, with its zone.
        surface: Where an action would be shown; None when the caller shows all.
        features: Every feature of the contract by name, None where missing.
        churn_probability: Probability of leaving within each horizon (`90d`).
        upsell_probability: Probability of expanding within each horizon.
        score_horizon: The horizon whose churn probability is the account's risk.
        evidence_status: `full`, or why decisions must refuse: `thin`, `stale`.
        evidence: The age of each view, as the score shows it.
        fresh_until: When the first view goes stale; None if that is not known.
        model: Tag of the bundle.
        feature_contract: Hash of the feature contract.
    """

    account_id: str
    now: dt.datetime
    surface: str | None
    features: Mapping[str, ContextValue]
    churn_probability: Mapping[str, float]
    upsell_probability: Mapping[str, float]
    score_horizon: str
    evidence_status: EvidenceStatus
    evidence: Mapping[str, Any]
    fresh_until: dt.datetime | None
    model: str
    feature_contract: str

    @property
    def churn_risk(self) -> float:
        """Probability of leaving within the scored horizon."""
        return self.churn_probability[self.score_horizon]

    def number(self, name: str) -> float | None:
        """Return the feature or probability *name* as a number, or None if it is missing or not finite."""
        if name.startswith(CHURN):
            return self.churn_probability.get(name.removeprefix(CHURN))
        if name.startswith(UPSELL):
            return self.upsell_probability.get(name.removeprefix(UPSELL))
        value = self.features.get(name)
        if value is None or isinstance(value, str):
            return None
        number = float(value)
        return number if math.isfinite(number) else None

    def text(self, name: str) -> str | None:
        """Return the text feature *name*, or None if it is missing or empty."""
        value = self.features.get(name)
        return value if isinstance(value, str) and value else None

    def flag(self, name: str) -> bool | None:
        """Return the yes-or-no feature *name*, or None if it is missing."""
        number = self.number(name)
        return None if number is None else bool(number)
