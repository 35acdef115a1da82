"""The limits that a bundle must keep to become the champion, read from one file.

`gates.yaml` beside this module is the default; `training.gates` applies them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_repo.contract import canonical_hash
from training.errors import LimitsError
from training.yaml_values import load_value

LIMITS_FILE = Path(__file__).with_name("gates.yaml")

Range = tuple[float, float]
SliceColumn = Literal["region", "segment", "size", "tenure", "plan"]
SLICE_COLUMNS: tuple[SliceColumn, ...] = ("region", "segment", "size", "tenure", "plan")


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SliceLimits(_Value):
    """Which slices are large enough to judge by."""

    min_accounts: int = Field(default=50, ge=1)
    min_events: int = Field(default=10, ge=1)
    most_slices: int = Field(default=12, ge=2, description="Further values of a column become `other`.")


class ComparisonLimits(_Value):
    """How much worse than the champion is still as good."""

    max_auc_loss: float = Field(default=0.0, ge=0)
    max_log_loss_rise: float = Field(default=0.0, ge=0, description="In nats a row.")


class CalibrationLimits(_Value):
    """How far probabilities may lie from what happens."""

    observed_to_expected: Range = (0.75, 1.33)
    slope: Range = Field(default=(0.7, 1.4), description="Of a logistic regression on the log-odds.")
    max_expected_calibration_error: float = Field(default=0.05, gt=0, description="Ten bins of equal size.")


class LeakageLimits(_Value):
    """When a feature is taken to know the answer."""

    max_single_feature_auc: float = Field(default=0.98, gt=0.5, le=1)
    rule_min_recall: float = Field(default=0.2, gt=0, le=1, description="Share of events that a value holds.")
    rule_max_precision: float = Field(default=0.95, gt=0, le=1, description="Share of events in a value.")


class RefusedBy(_Value):
    """Slice columns whose gaps refuse a bundle, by measure."""

    selection: tuple[SliceColumn, ...] = ("region",)
    equal_opportunity: tuple[SliceColumn, ...] = ("region", "segment")
    calibration: tuple[SliceColumn, ...] = SLICE_COLUMNS


class FairnessLimits(_Value):
    """How far a slice may lie from all others."""

    selection_ratio: Range = Field(
        default=(0.8, 1.25),
        description="Four-fifths rule (US Uniform Guidelines on Employee Selection, 1978).",
    )
    max_equal_opportunity_gap: float = Field(default=0.2, gt=0, description="In recall; Hardt et al. 2016.")
    max_calibration_gap: float = Field(default=0.05, gt=0, description="In probability.")
    refused_by: RefusedBy = RefusedBy()


class ParityLimits(_Value):
    """How far the graph may lie from LightGBM."""

    max_abs_difference: float = Field(default=1e-9, gt=0)
    min_rows: int = Field(default=10_000, ge=1, description="Rows on which export must have compared them.")


class SpeedLimits(_Value):
    """How much slower than the champion a graph may be."""

    max_ratio: float = Field(default=1.5, gt=0)
    max_outlook_ratio: float = Field(
        default=25.0,
        gt=1,
        description="A call with intervals and outlook over one without, of the same graph.",
    )


class IntervalLimits(_Value):
    """How often intervals must hold what they should."""

    min_group_coverage: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Share of ten groups of test rows whose observed rate lies in the interval.",
    )


class SuspicionLimits(_Value):
    """When a model is too good to be true."""

    max_auc: float = Field(default=0.95, gt=0.5, le=1)


class Limits(_Value):
    """All limits of a promotion."""

    samples: int = Field(default=300, ge=20, description="Resamples of accounts behind every interval.")
    slices: SliceLimits = SliceLimits()
    comparison: ComparisonLimits = ComparisonLimits()
    calibration: CalibrationLimits = CalibrationLimits()
    leakage: LeakageLimits = LeakageLimits()
    fairness: FairnessLimits = FairnessLimits()
    parity: ParityLimits = ParityLimits()
    intervals: IntervalLimits = IntervalLimits()
    speed: SpeedLimits = SpeedLimits()
    suspicion: SuspicionLimits = SuspicionLimits()

    @model_validator(mode="after")
    def _ranges_hold_one(self) -> Limits:
        for name, (low, high) in (
            ("calibration.observed_to_expected", self.calibration.observed_to_expected),
            ("calibration.slope", self.calibration.slope),
            ("fairness.selection_ratio", self.fairness.selection_ratio),
        ):
            if not 0 <= low <= 1 <= high:
                raise ValueError(f"{name} must be [low, high] with low <= 1 <= high, not [{low}, {high}]")
        return self

    @property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON."""
        return canonical_hash(self.model_dump(mode="json"))


def load_limits(path: Path = LIMITS_FILE) -> Limits:
    """Read limits from a YAML file.

    Raises:
        LimitsError: The file is not there, not YAML, or not of this form; the message names the field.
    """
    return load_value(path, Limits, "file of limits", LimitsError)
