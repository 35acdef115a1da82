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
    horizon. If `low_output` and `high_output` are set, they have the shape of `output` and hold the ends of each
    probability's central interval.
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
    low_output: str | None = None
    high_output: str | None = None
    interval_level: float | None = Field(
        default=None, gt=0, lt=1, description="Nominal coverage of the interval, 0.9 for 90 %."
    )


class Encoding(_Value):
    """How a string feature becomes a number: its index in `categories`; anything else is NaN."""

    feature: str
    categories: tuple[str, ...]


class SupportValues(_Value):
    """The region that training covered: a range and a weight per model feature; None is a range without an end.

    A row is unlike the training data when the weight of its features outside their range is above `limit`.
    """

    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    weight: tuple[float, ...]
    limit: float


class LongHorizon(_Value):
    """An output of shape (accounts, 1): the probability of a head's event within `days`, beyond its horizons."""

    head: Literal["upsell"] = "upsell"
    output: str = "upsell_long"
    days: int = Field(gt=0)


class AmountOutput(_Value):
    """An output of shape (accounts, 1): expected extra MRR if the account expands, as a share of its MRR."""

    output: str = "extra_mrr_ratio"


class TrajectoryOutput(_Value):
    """An output of shape (accounts, classes): probabilities of where health goes within `days`; rows sum to 1."""

    output: str = "trajectory"
    classes: tuple[str, ...] = ("improving", "stable", "declining")
    days: int = Field(gt=0)


class Effect(_Value):
    """One column of the effects: what taking `action` changes in the probability of `outcome`."""

    action: str = Field(description="As logged in the table `treatments`.")
    outcome: Literal["retained", "expanded"]
    learner: str = Field(
        description="Which learner grew its trees; `none` if it does not tell accounts apart."
    )
    basis: Literal["uplift", "prior"] = Field(
        description="`uplift` if it learnt from draws, `prior` if it is the declared prior alone."
    )
    draws: int = Field(ge=0, description="Draws of the action, both arms.")


class Effects(_Value):
    """Two outputs of shape (accounts, columns): effects of actions within `window_days`, and standard errors."""

    output: str = "effects"
    errors_output: str = "effect_errors"
    window_days: int = Field(gt=0)
    columns: tuple[Effect, ...] = Field(min_length=1)


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
    `encodings`. Optional inputs, bools that are true if not given, say what is computed besides probabilities:
    `explain` contributions, `intervals` the ends of intervals, `outlook` all outputs of `long_horizon`, `amount`,
    `trajectory` and `effects`. What is switched off has no rows. A bundle that has nothing of a kind lacks its input.
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
    support: SupportValues | None = None
    long_horizon: LongHorizon | None = None
    amount: AmountOutput | None = None
    trajectory: TrajectoryOutput | None = None
    effects: Effects | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if self.contract.hash != self.contract_hash:
            raise ValueError("contract_hash is not the hash of contract")
        require_cover(self.tiers)
        for head in self.heads:
            if (head.low_output is None) != (head.high_output is None):
                raise ValueError(
                    f"head {head.name!r} has one end of its interval; it should have both or none"
                )
        if self.support is not None:
            width = len(self.contract.model_features)
            ends = (self.support.low, self.support.high, self.support.weight)
            if any(len(values) != width for values in ends):
                raise ValueError(
                    f"support should have one range and weight for each of {width} model features"
                )
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
