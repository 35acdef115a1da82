"""The manifest as a whole."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from feature_repo.contract import FeatureContract, canonical_hash
from serving.bundle.manifest.effects import Effects
from serving.bundle.manifest.heads import Encoding, Head, SupportValues
from serving.bundle.manifest.origin import Parity, Provenance, TrainingCost, TrainingWindow
from serving.bundle.manifest.outlook import AmountOutput, LongHorizon, TrajectoryOutput, Winback
from serving.bundle.manifest.tiers import Tier, require_cover
from serving.bundle.manifest.value import Value

SCHEMA_VERSION: Final = 1


class Manifest(Value):
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
