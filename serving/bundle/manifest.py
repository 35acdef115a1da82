"""The bundle manifest: all that serving must know of a bundle besides its graph. Training writes it."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from feature_repo.contract import FeatureContract, canonical_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION: Final = 1
MANIFEST_FILE = "manifest.json"
GRAPH_FILE = "bundle.onnx"
BOOSTERS_FOLDER = "boosters"
"""Holds the LightGBM text of each interval: `boosters/churn_30d.txt`."""
TIER_TOP = 100


def hash_of(content: bytes) -> str:
    """Return `sha256:` and the digest of a file's *content*."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


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
    """Logistic calibration of an interval's margin m: its hazard is sigmoid(slope * m + intercept + offset)."""

    slope: float
    intercept: float
    offsets: tuple[float, ...] = Field(
        default=(), description="Offset by category of the head's `segment_feature`; 0 for any other."
    )


class ContributionsBase(_Value):
    """What contributions start from: the prediction where every tree gives its mean over the training rows.

    `log_odds` plus all contributions of an account is the log-odds of its probability by the scored horizon.
    """

    log_odds: float
    probability: float = Field(ge=0, le=1)


class Head(_Value):
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
    """An output of shape (accounts, classes): probabilities of where health goes within `days`; rows sum to 1.

    It may read policy features that no other output reads: `inputs`, float64 of shape (accounts, inputs), missing is
    NaN, given as the optional input `input_name` of the graph. Without that input all of them are missing.
    """

    output: str = "trajectory"
    classes: tuple[str, ...] = ("improving", "stable", "declining")
    days: int = Field(gt=0)
    input_name: str | None = None
    inputs: tuple[str, ...] = ()


class Effect(_Value):
    """One column of the effects: what taking `action` changes in the probability of `outcome`."""

    action: str = Field(description="As logged in the table `treatments`.")
    outcome: Literal["retained", "expanded", "returned"] = Field(
        description="`returned` speaks of accounts that have left, the others of those that have a subscription."
    )
    learner: str = Field(
        description="Which learner grew its trees; `none` if it does not tell accounts apart."
    )
    basis: Literal["uplift", "blend", "prior"] = Field(
        description="`uplift` if it was learnt from draws, `blend` if draws moved the declared prior and weigh less "
        "than it, `prior` if it is the declared prior alone."
    )
    draws: int = Field(ge=0, description="Draws of the action, both arms.")


class Winback(_Value):
    """An output of the head `winback`: the probability that an account that has left comes back by each horizon.

    It speaks of accounts whose feature `days_since_end` lies from `after_days` to `within_days`, and of no others.
    """

    head: Head
    after_days: int = Field(ge=0, description="The grace days.")
    within_days: int = Field(gt=0)


LEARNT_WEIGHT: Final = 0.5
"""Least weight of the draws in an average effect, against its prior, from which on the effect counts as learnt."""
LEARNT_SLOPE_Z: Final = 1.645
"""Standard errors by which a slope out of fold must lie above zero for trees to have come true: 95 %, one-sided."""


def is_learnt(shipped: Mapping[str, Any]) -> bool:
    """Return whether an effect counts as learnt from draws, going by what the report says of the head that ships.

    It does if its average rests on the draws at least as much as on the prior (`LEARNT_WEIGHT`), or if its trees tell
    accounts apart and that came true out of fold beyond chance (`LEARNT_SLOPE_Z`). That draws were enough to measure
    something is not enough: next to a narrow prior they may weigh a few percent.

    Args:
        shipped: `metrics["uplift"]["outcomes"][outcome]["actions"][action]["shipped"]` of a manifest.
    """
    if shipped["measured"] is None:
        return False
    if shipped["weight_of_draws"] >= LEARNT_WEIGHT:
        return True
    slope = shipped["slope"]
    return bool(
        slope is not None and slope["used"] > 0 and slope["raw"] > LEARNT_SLOPE_Z * slope["standard_error"]
    )


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
    configuration_hash: str | None = Field(
        default=None,
        description="Of definitions, settings and declared priors; bundles of earlier releases don't tell.",
    )


class StageCost(_Value):
    """What one stage of a training took."""

    name: str
    seconds: float
    kept: bool = Field(
        default=False, description="Made by an earlier attempt that was interrupted; its seconds are of then."
    )


class TrainingCost(_Value):
    """What a training took: the one part of a manifest, besides `trained_at`, that differs when it is repeated."""

    seconds: float = Field(
        description="By the clock, of the attempt that stored the bundle; stages side by side count once."
    )
    processor_seconds: float = Field(description="Of all threads, of the same attempt.")
    peak_memory_bytes: int = Field(
        description="Most resident memory of a process, interrupted attempts included."
    )
    stages: tuple[StageCost, ...]


class Manifest(_Value):
    """Everything but the graph.

    The graph's one input is `input_name`, float64 of shape (accounts, number of model features), columns in
    the order of `contract.model_features`; missing is NaN, a bool is 0 or 1, a string is encoded by
    `encodings`. Optional inputs, bools that are true if not given, say what is computed besides probabilities:
    `explain` contributions, `intervals` the ends of intervals, `outlook` all outputs of `long_horizon`, `amount`,
    `trajectory` and `effects`, `departed` that of `winback`. What is switched off has no rows. A bundle that has
    nothing of a kind lacks its input.
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
    winback: Winback | None = None
    currency: str | None = Field(
        default=None,
        description="ISO 4217 code of the MRR that the models learnt from; bundles of earlier releases don't tell.",
    )
    null_views: dict[str, float] | None = Field(
        default=None,
        description="By view, the share of training rows in which all its model features were null: what the models "
        "knew of it. Bundles of earlier releases don't tell; null rows of their views are not seen as missing.",
    )
    graph_hash: str | None = Field(
        default=None,
        description="`sha256:` and the digest of the graph's file; None in bundles of before it was told.",
    )
    cost: TrainingCost | None = Field(
        default=None, description="What making it took; bundles of earlier releases don't tell."
    )

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
        if self.trajectory is not None:
            if bool(self.trajectory.inputs) != (self.trajectory.input_name is not None):
                raise ValueError("the trajectory should have both `inputs` and `input_name`, or neither")
            policy = {feature.name for feature in self.contract.features if feature.role == "policy"}
            for name in self.trajectory.inputs:
                if name not in policy:
                    raise ValueError(
                        f"the trajectory reads {name!r}, which is no policy feature of the contract"
                    )
        if self.support is not None:
            width = len(self.contract.model_features)
            ends = (self.support.low, self.support.high, self.support.weight)
            if any(len(values) != width for values in ends):
                raise ValueError(
                    f"support should have one range and weight for each of {width} model features"
                )
        return self

    @model_validator(mode="after")
    def _winback_apart(self) -> Manifest:
        if any(head.name == "winback" for head in self.heads):
            raise ValueError("the head 'winback' should stand in `winback`: it speaks of other accounts")
        if self.winback is not None and self.winback.head.name != "winback":
            raise ValueError(f"`winback` has the head {self.winback.head.name!r}; it should have 'winback'")
        return self

    @property
    def score_horizon(self) -> str:
        """Name of the scored horizon in answers (`30d`)."""
        return f"{self.score_horizon_days}d"

    @property
    def content_hash(self) -> str:
        """`sha256:` and the digest of all but time and cost: equal for every repetition of a training."""
        content = self.model_dump(mode="json", exclude={"cost": True, "provenance": {"trained_at"}})
        return canonical_hash(content)

    def head(self, name: str) -> Head:
        """Return the head called *name*.

        Raises:
            KeyError: The bundle has no such head.
        """
        for head in self.heads:
            if head.name == name:
                return head
        raise KeyError(name)
