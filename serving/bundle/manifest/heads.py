"""Heads: the graph's probabilities, their intervals and contributions, and how it reads strings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from serving.bundle.manifest.value import Value


class Calibration(Value):
    """Logistic calibration of an interval's margin m: its hazard is sigmoid(slope * m + intercept + offset)."""

    slope: float
    intercept: float
    offsets: tuple[float, ...] = Field(
        default=(), description="Offset by category of the head's `segment_feature`; 0 for any other."
    )


class ContributionsBase(Value):
    """What contributions start from: the prediction where every tree gives its mean over the training rows.

    `log_odds` plus all contributions of an account is the log-odds of its probability by the scored horizon.
    """

    log_odds: float
    probability: float = Field(ge=0, le=1)


class Head(Value):
    """One output of the graph.

    The graph's output `output` has shape (accounts, len(horizons)) and holds probabilities that never fall
    from one horizon to the next. If `contributions_output` is set, that output has shape (accounts, model
    features) and holds each feature's additive contribution in log-odds to the probability of the scored
    horizon. If `low_output` and `high_output` are set, they have the shape of `output` and hold the ends of each
    probability's central interval.
    """

    name: Literal["churn", "upsell", "winback"]
    output: str
    horizons_days: tuple[int, ...]
    definition: str = Field(description="What counts as the event, in one sentence.")
    thresholds: dict[str, float] = Field(
        description="Chosen decision threshold per horizon (`90d`: 0.31); 1.0 flags nobody."
    )
    calibrations: tuple[Calibration, ...] = Field(
        default=(), description="Of each interval; bundles of earlier releases don't tell."
    )
    segment_feature: str | None = Field(
        default=None, description="The model feature by whose categories calibrations have offsets."
    )
    contributions_output: str | None = None
    contributions_method: str | None = None
    contributions_base: ContributionsBase | None = Field(
        default=None, description="Bundles of earlier releases have none; their contributions don't add up."
    )
    low_output: str | None = None
    high_output: str | None = None
    interval_level: float | None = Field(
        default=None, gt=0, lt=1, description="Nominal coverage of the interval, 0.9 for 90 %."
    )

    @model_validator(mode="after")
    def _both_ends(self) -> Head:
        if (self.low_output is None) != (self.high_output is None):
            raise ValueError(f"head {self.name!r} has one end of its interval; it should have both or none")
        return self


class Encoding(Value):
    """How a string feature becomes a number: its index in `categories`; anything else is NaN."""

    feature: str
    categories: tuple[str, ...]


class SupportValues(Value):
    """The region that training covered: a range and a weight per model feature; None is a range without an end.

    A row is unlike the training data when the weight of its features outside their range is above `limit`.
    """

    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    weight: tuple[float, ...]
    limit: float
