"""The bundle manifest: all that serving must know of a bundle besides its graph. Training writes it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_repo.contract import FeatureContract

SCHEMA_VERSION: Final = 1
MANIFEST_FILE = "manifest.json"
GRAPH_FILE = "bundle.onnx"
BOOSTERS_FOLDER = "boosters"
"""Holds the LightGBM text of each interval: `boosters/churn_30d.txt`."""
TIER_TOP = 100


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Value):
    """A named closed range of `churn_risk_score`."""

    name: str
    low: int = Field(ge=0, le=TIER_TOP)
    high: int = Field(ge=0, le=TIER_TOP)


def require_cover(tiers: tuple[Tier, ...]) -> None:
    """Insist that *tiers* follow one another and together cover 0 to 100.

    Raises:
        ValueError: They don't; it names the first tier that is wrong.
    """
    expected = 0
    for tier in tiers:
        if tier.low != expected or tier.high < tier.low:
            raise ValueError(f"tier {tier.name!r} should start at {expected} and not end before it starts")
        expected = tier.high + 1
    if expected != TIER_TOP + 1:
        raise ValueError(f"tiers must cover 0 to {TIER_TOP}")


class Calibration(_Value):
    """Logistic calibration of an interval's margin m: its hazard is sigmoid(slope * m + intercept)."""

    slope: float
    intercept: float


class Head(_Value):
    """One output of the graph.

    The graph's output `output` has shape (accounts, len(horizons)) and holds probabilities that never fall
    from one horizon to the next. If `contributions_output` is set, that output has shape (accounts, model
    features) and holds each feature's additive contribution in log-odds to the probability of the scored
    horizon.
    """

    name: Literal["churn", "upsell"]
    output: str
    horizons_days: tuple[int, ...]
    definition: str = Field(description="What counts as the event, in one sentence.")
    thresholds: dict[str, float] = Field(description="Chosen decision threshold per horizon (`90d`: 0.31).")
    calibrations: tuple[Calibration, ...] = Field(
        default=(), description="Of each interval; bundles of earlier releases don't tell."
    )
    contributions_output: str | None = None
    contributions_method: str | None = None


class Encoding(_Value):
    """How a string feature becomes a number: its index in `categories`; anything else is NaN."""

    feature: str
    categories: tuple[str, ...]


class TrainingWindow(_Value):
    """Cutoffs of each part of the time split, and the embargo between them."""

    train: tuple[dt.date, dt.date]
    validation: tuple[dt.date, dt.date]
    test: tuple[dt.date, dt.date]
    embargo_days: int
    label_end: dt.date


class Parity(_Value):
    """How far ONNX and LightGBM lay apart when the bundle was exported."""

    rows: int
    max_abs_difference: float
    tolerance: float


class Provenance(_Value):
    """What the bundle was made from."""

    dataset: str
    synthetic: bool
    data_hash: str
    code_version: str
    definitions_hash: str
    trained_at: dt.datetime
    seed: int
    libraries: dict[str, str]


class Manifest(_Value):
    """Everything but the graph.

    The graph's one input is `input_name`, float64 of shape (accounts, number of model features), columns in
    the order of `contract.model_features`; missing is NaN, a bool is 0 or 1, a string is encoded by
    `encodings`. The optional input `explain` (a bool, true if it is not given) says whether contributions are
    computed.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    input_name: str = "features"
    contract: FeatureContract
    contract_hash: str
    encodings: tuple[Encoding, ...]
    heads: tuple[Head, ...]
    score_head: Literal["churn"] = "churn"
    score_horizon_days: int = Field(
        description="`churn_risk_score` is this horizon's churn probability times 100."
    )
    tiers: tuple[Tier, ...]
    window: TrainingWindow
    metrics: dict[str, Any] = Field(
        description="Per head and horizon, ours and each baseline's, with intervals."
    )
    parity: Parity
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if self.contract.hash != self.contract_hash:
            raise ValueError("contract_hash is not the hash of contract")
        require_cover(self.tiers)
        return self

    def head(self, name: str) -> Head:
        """Return the head called *name*.

        Raises:
            KeyError: The bundle has no such head.
        """
        for head in self.heads:
            if head.name == name:
                return head
        raise KeyError(name)
