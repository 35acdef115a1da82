"""The limits that a bundle must keep to become the champion, read from one file.

`gates.yaml` beside this module holds every value, and this module none: here is only what each one means. Another file
is read over it, so that it need name no more than what it changes. `training.gates` applies the limits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from feature_repo.contract import canonical_hash
from training.errors import LimitsError

LIMITS_FILE = Path(__file__).with_name("gates.yaml")

_RENAMED = {
    "speed.max_outlook_ratio": "speed.max_outlook_over_champion, a call with intervals and outlook over "
    "the champion's such call (over a call without them: speed.max_outlook_over_core)",
}
"""Names of earlier releases, with today's and what that is a ratio of."""

Range = tuple[float, float]
SliceColumn = Literal["region", "segment", "size", "tenure", "plan"]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SliceLimits(_Value):
    """Which slices are large enough to judge by."""

    min_accounts: int = Field(ge=1)
    min_events: int = Field(ge=1)
    most_slices: int = Field(ge=2, description="Further values of a column become `other`.")


class ComparisonLimits(_Value):
    """How much worse than the champion is still as good."""

    max_auc_loss: float = Field(ge=0)
    max_log_loss_rise: float = Field(ge=0, description="In nats a row.")
    max_policy_value_loss: float = Field(ge=0, description="Outcomes a draw, doubly robust.")
    min_paired_draws: int = Field(ge=20, description="With fewer new to both, reports are compared.")
    max_trajectory_log_loss_rise: float = Field(ge=0, description="In nats a row, of three classes.")
    max_long_log_loss_rise: float = Field(ge=0, description="In nats a piece of about 55 days.")
    max_long_auc_loss: float = Field(ge=0)
    max_amount_error_rise: float = Field(ge=0, description="Squared, of extra MRR over MRR.")
    max_trajectory_log_loss_over_shares: float = Field(
        ge=0, description="In nats a row, over that of the class shares of training."
    )
    max_winback_log_loss_over_base_rate: float = Field(
        ge=0, description="In nats a row, over that of the base rate of training."
    )


class CalibrationLimits(_Value):
    """How far probabilities may lie from what happens."""

    observed_to_expected: Range
    slope: Range = Field(description="Of a logistic regression on the log-odds.")
    max_expected_calibration_error: float = Field(gt=0, description="Ten bins of equal size.")
    max_trajectory_calibration_error: float = Field(
        gt=0, description="The same, of each class of the health trajectory."
    )


class LeakageLimits(_Value):
    """When a feature is taken to know the answer."""

    min_events: int = Field(ge=1, description="With fewer, nothing is looked for.")
    max_single_feature_auc: float = Field(gt=0.5, le=1)
    rule_min_recall: float = Field(gt=0, le=1, description="Share of events that a value holds.")
    rule_max_precision: float = Field(gt=0, le=1, description="Share of events in a value.")


class RefusedBy(_Value):
    """Slice columns whose gaps refuse a bundle, by measure."""

    selection: tuple[SliceColumn, ...]
    equal_opportunity: tuple[SliceColumn, ...]
    calibration: tuple[SliceColumn, ...]


class FairnessLimits(_Value):
    """How far a slice may lie from all others."""

    selection_ratio: Range = Field(
        description="Four-fifths rule (US Uniform Guidelines on Employee Selection, 1978).",
    )
    max_equal_opportunity_gap: float = Field(gt=0, description="In recall; Hardt et al. 2016.")
    max_calibration_gap: float = Field(gt=0, description="In probability.")
    refused_by: RefusedBy


class ParityLimits(_Value):
    """How far the graph may lie from LightGBM."""

    max_abs_difference: float = Field(gt=0)
    min_rows: int = Field(ge=1, description="Rows on which export must have compared them.")
    min_outlook_rows: int = Field(ge=1, description="The same of intervals and outlook.")


class SpeedLimits(_Value):
    """How much slower than the champion a graph may be."""

    max_ratio: float = Field(gt=0)
    max_outlook_over_champion: float = Field(
        gt=0, description="A call with intervals and outlook over the champion's such call."
    )
    max_outlook_over_core: float = Field(
        gt=1, description="The same over a call without, if there is no champion."
    )


class IntervalLimits(_Value):
    """How often intervals must hold what they should."""

    min_group_coverage: float = Field(
        ge=0,
        le=1,
        description="Share of ten groups of test rows whose observed rate lies in the interval.",
    )


class SuspicionLimits(_Value):
    """When a model is too good to be true."""

    max_auc: float = Field(gt=0.5, le=1)


class Limits(_Value):
    """All limits of a promotion."""

    samples: int = Field(ge=20, description="Resamples of accounts behind every interval.")
    slices: SliceLimits
    comparison: ComparisonLimits
    calibration: CalibrationLimits
    leakage: LeakageLimits
    fairness: FairnessLimits
    parity: ParityLimits
    intervals: IntervalLimits
    speed: SpeedLimits
    suspicion: SuspicionLimits

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

    Args:
        path: `gates.yaml`, or a file of what is to be otherwise: it is read over `gates.yaml`, value by value; a list
            is taken whole.

    Raises:
        LimitsError: The file is not there, not YAML, or has values that are no limits; the message names the field,
            and today's name of one that was renamed.
    """
    try:
        values = _read(LIMITS_FILE)
        changes = {} if path == LIMITS_FILE else _read(path)
        _require_todays_names(path, changes)
        return Limits.model_validate(_over(values, changes))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, ValidationError, TypeError) as cause:
        raise LimitsError(f"{path}: not a valid file of limits: {cause}") from cause


def changed_limits(limits: Limits) -> tuple[str, ...]:
    """Return what is otherwise than in `gates.yaml`, such as `speed.max_ratio 1.5 -> 2`, in the file's order."""
    shipped, ours = (_leaves(one.model_dump(mode="json")) for one in (load_limits(), limits))
    return tuple(f"{name} {value} -> {ours[name]}" for name, value in shipped.items() if ours[name] != value)


def _require_todays_names(path: Path, changes: dict[str, Any]) -> None:
    for name in _leaves(changes):
        if name in _RENAMED:
            raise LimitsError(f"{path}: {name} is now called {_RENAMED[name]}")


def _read(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(values, dict):
        raise TypeError(f"it holds {type(values).__name__}, not names with values")
    return values


def _over(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return *values* with *changes*, groups by their members."""
    together = dict(values)
    for name, change in changes.items():
        old = values.get(name)
        together[name] = _over(old, change) if isinstance(old, dict) and isinstance(change, dict) else change
    return together


def _leaves(values: dict[str, Any], group: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _leaves(value, f"{group}{name}.") if isinstance(value, dict) else {f"{group}{name}": value}
    return found
