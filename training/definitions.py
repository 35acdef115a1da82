"""Definitions: horizons, events, tiers, thresholds, splits and model ranges, read from one file.

`definitions.yaml` beside this module is the default. The same values go into the bundle's manifest, so that a score can
be traced to what "churn" meant when it was trained.
"""

from __future__ import annotations

import datetime as dt
import itertools
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_repo.contract import canonical_hash
from serving.bundle.manifest import Tier, require_cover
from training.errors import DefinitionsError
from training.threshold_definitions import ThresholdPolicy
from training.yaml_values import load_value

__all__ = [
    "DEFAULT_FILE",
    "HEADS",
    "BoostingStage",
    "ChurnDefinition",
    "Definitions",
    "HeadName",
    "LeakageGuard",
    "ModelDefinition",
    "SplitDefinition",
    "ThresholdPolicy",
    "UpsellDefinition",
    "WinbackDefinition",
    "load_definitions",
]

HeadName = Literal["churn", "upsell", "winback"]
HEADS: tuple[HeadName, ...] = ("churn", "upsell")
"""Of accounts with a subscription; `winback` is of those that have left, on rows of its own."""
DEFAULT_FILE = Path(__file__).with_name("definitions.yaml")


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChurnDefinition(_Value):
    """When an account has left."""

    grace_days: int = Field(
        default=30, ge=0, description="Days without a paid subscription that still count as staying."
    )


class UpsellDefinition(_Value):
    """When an account has bought more."""

    higher_plan: bool = Field(default=True, description="A move up the plan order counts.")
    more_seats: bool = Field(default=True, description="More seats on a plan that is not lower count.")
    long_horizon_days: int | None = Field(
        default=365,
        ge=1,
        description="One more horizon of expansion, past the last of horizons_days; null: none.",
    )

    @model_validator(mode="after")
    def _something_counts(self) -> UpsellDefinition:
        if not (self.higher_plan or self.more_seats):
            raise ValueError("upsell: at least one of higher_plan and more_seats must be true")
        return self


class WinbackDefinition(_Value):
    """Until when an account that has left may be won back, and how many returns teach when."""

    within_days: int = Field(
        default=365,
        ge=1,
        description="Days after the end of paid coverage until which an account counts as one that has left; features "
        "are kept for a year.",
    )
    min_returns: int = Field(
        default=20,
        ge=1,
        description="Returns that must be known before the test begins; with fewer there is no head.",
    )


class SplitDefinition(_Value):
    """Which cutoffs exist and to which part each belongs."""

    cutoff_every_days: int = Field(default=30, ge=1, description="Days from one cutoff to the next.")
    warm_up_days: int = Field(default=60, ge=0, description="Days of data before the first cutoff.")
    validation_fraction: float = Field(
        default=0.2, gt=0, lt=1, description="Share of usable cutoffs for validation."
    )
    test_fraction: float = Field(default=0.2, gt=0, lt=1, description="Share of usable cutoffs for the test.")
    validation_from: dt.date | None = Field(
        default=None, description="First validation cutoff, instead of a share."
    )
    test_from: dt.date | None = Field(default=None, description="First test cutoff, instead of a share.")
    refit_on_validation: bool = Field(
        default=True, description="Train the final boosters on training and validation cutoffs together."
    )

    @model_validator(mode="after")
    def _room_for_training(self) -> SplitDefinition:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("split: validation_fraction and test_fraction must leave a share for training")
        if self.validation_from and self.test_from and self.validation_from >= self.test_from:
            raise ValueError("split: validation_from must lie before test_from")
        return self


class BoostingStage(_Value):
    """One stage of boosting: how its trees grow, and how many there may be."""

    name: str
    max_rounds: int = Field(ge=1, description="Most trees that all intervals of a head share.")
    max_interval_rounds: int = Field(ge=0, description="Most trees of an interval's own, on top; 0 for none.")
    learning_rate: float = Field(gt=0, le=1)
    num_leaves: int = Field(ge=2, le=255)
    min_child_samples: int = Field(ge=1)
    feature_fraction: float = Field(default=1.0, gt=0, le=1)
    bagging_fraction: float = Field(default=1.0, gt=0, le=1)
    lambda_l1: float = Field(default=0.0, ge=0)
    lambda_l2: float = Field(default=1.0, ge=0)
    path_smooth: float = Field(default=0.0, ge=0)


class ModelDefinition(_Value):
    """How boosters are trained."""

    seed: int = 7
    early_stopping_rounds: int = Field(default=30, ge=1)
    min_interval_events: int = Field(default=15, ge=1, description="Fewer events in a part: no own rounds.")
    stages: tuple[BoostingStage, ...] = Field(min_length=1)


class LeakageGuard(_Value):
    """When a feature is taken to know the answer."""

    max_single_feature_auc: float = Field(default=0.98, gt=0.5, le=1)


class Definitions(_Value):
    """All definitions of one training."""

    horizons_days: tuple[int, ...] = Field(default=(30, 60, 90), min_length=1)
    score_horizon_days: int = 90
    churn: ChurnDefinition = ChurnDefinition()
    upsell: UpsellDefinition = UpsellDefinition()
    winback: WinbackDefinition = WinbackDefinition()
    tiers: tuple[Tier, ...]
    thresholds: ThresholdPolicy = ThresholdPolicy()
    split: SplitDefinition = SplitDefinition()
    model: ModelDefinition
    leakage: LeakageGuard = LeakageGuard()

    @model_validator(mode="after")
    def _consistent(self) -> Definitions:
        if self.horizons_days[0] <= 0 or any(a >= b for a, b in itertools.pairwise(self.horizons_days)):
            raise ValueError(f"horizons_days must be positive and increasing, not {list(self.horizons_days)}")
        if self.score_horizon_days not in self.horizons_days:
            raise ValueError(
                f"score_horizon_days {self.score_horizon_days} is not one of {list(self.horizons_days)}"
            )
        longer = self.upsell.long_horizon_days
        if longer is not None and longer <= self.horizons_days[-1]:
            raise ValueError(
                f"upsell.long_horizon_days {longer} must lie past the last horizon, {self.horizons_days[-1]} days"
            )
        if self.winback.within_days <= self.churn.grace_days:
            raise ValueError(
                f"winback.within_days {self.winback.within_days} must lie past churn.grace_days, "
                f"{self.churn.grace_days} days"
            )
        require_cover(self.tiers)
        return self

    def label_days(self, head: HeadName) -> int:
        """Return the days past a horizon's end that data must reach before the label of *head* is known."""
        return self.churn.grace_days if head == "churn" else 0

    def sentence(self, head: HeadName) -> str:
        """Return what counts as the event of *head*, in one sentence."""
        if head == "churn":
            return (
                "The last paid subscription ends and no other paid one starts within "
                f"{self.churn.grace_days} days; dated at that end."
            )
        if head == "winback":
            return (
                f"A paid subscription begins again after one ended {self.churn.grace_days} to "
                f"{self.winback.within_days} days before; dated at its start."
            )
        ways = []
        if self.upsell.higher_plan:
            ways.append("to a higher plan")
        if self.upsell.more_seats:
            ways.append("to more seats on a plan that is not lower")
        return (
            f"A move {' or '.join(ways)}, dated at the new period's start; an account that leaves first counts as "
            "not having bought more."
        )

    @cached_property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical JSON."""
        return canonical_hash(self.model_dump(mode="json"))


def load_definitions(path: Path = DEFAULT_FILE) -> Definitions:
    """Read definitions from a YAML file.

    Raises:
        DefinitionsError: The file is not there, not YAML, or not of this form; the message names the field.
    """
    return load_value(path, Definitions, "definitions file", DefinitionsError)
