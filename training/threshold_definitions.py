"""Definitions of how a decision threshold is chosen: the mode, its targets, and what an intervention costs and brings.

They stand in the definitions file under `thresholds`; `training.evaluation.thresholds` acts on them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ThresholdMode = Literal["precision_first", "recall_first", "f1", "value"]
MODES: tuple[ThresholdMode, ...] = ("precision_first", "recall_first", "f1", "value")


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InterventionValue(_Value):
    """What acting on a flagged account costs and brings: assumptions of the business, in the currency of MRR."""

    cost: float = Field(ge=0, description="Currency spent on every flagged account, whatever comes of it.")
    success_ratio: float = Field(
        ge=0,
        le=1,
        description="Share of flagged accounts with the event coming whose outcome the action improves.",
    )
    mrr_ratio: float = Field(
        ge=0, description="MRR that such a success is worth, as a share of the account's MRR."
    )
    months: float = Field(gt=0, description="Months for which that MRR counts.")


class Targets(_Value):
    """What the product is asked to reach on test rows; reported as met, missed or undecided, never enforced."""

    precision: float = Field(default=0.85, gt=0, lt=1)
    recall: float = Field(default=0.80, gt=0, lt=1)
    f1: float = Field(default=0.82, gt=0, lt=1)
    revenue_protection_accuracy: float = Field(
        default=0.90,
        gt=0,
        lt=1,
        description="Share of the tested accounts' MRR that is classified correctly.",
    )


class ThresholdPolicy(_Value):
    """How the decision threshold of a head and horizon is chosen on validation rows."""

    mode: ThresholdMode = Field(default="precision_first", description="Which of the four rules is shipped.")
    target_precision: float = Field(
        default=0.85, gt=0, lt=1, description="Precision wanted with `confidence`, if precision is first."
    )
    target_recall: float = Field(
        default=0.80, gt=0, lt=1, description="Recall wanted with `confidence`, if recall is first."
    )
    confidence: float = Field(
        default=0.9, gt=0.5, lt=1, description="Of the one-sided Clopper-Pearson lower bounds, together."
    )
    min_alerts: int = Field(
        default=10, ge=1, description="A threshold that flags fewer accounts of validation is not chosen."
    )
    margin_ratio: float = Field(
        default=0.8, gt=0, le=1, description="Gross margin as a share of MRR, for the mode `value`."
    )
    churn: InterventionValue = InterventionValue(cost=150.0, success_ratio=0.15, mrr_ratio=1.0, months=12.0)
    upsell: InterventionValue = InterventionValue(cost=50.0, success_ratio=0.1, mrr_ratio=0.3, months=12.0)
    segment_features: tuple[str, ...] = Field(
        default=("segment", "plan"),
        description="The first of these features that has two or more categories divides accounts into segments.",
    )
    min_segment_events: int = Field(
        default=30,
        ge=1,
        description="A segment with fewer events in validation gets no threshold of its own; one with fewer in the "
        "test has no figures of its own.",
    )
    targets: Targets = Targets()

    def intervention(self, head: str) -> InterventionValue:
        """Return the assumptions about acting on *head*.

        Raises:
            KeyError: It is neither `churn` nor `upsell`; no other head has thresholds.
        """
        return {"churn": self.churn, "upsell": self.upsell}[head]
