"""What checks may speak of: numbers and yes-or-no features of the contract, and what the models say of the account."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from serving.bundle.manifest import TIER_TOP
from serving.decisions.policy.field import Field
from serving.scoring.score import PROBABILITY_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.bundle.loader import Outputs
    from serving.bundle.manifest import Manifest
    from serving.decisions.policy.field import Kind

EXTRA_MRR: Final = "extra_mrr_ratio"
"""Told where the outlook is: for decisions, cards and batches, and not for a plain score."""
_SHOWN_UNITS: Final = 10.0**PROBABILITY_DIGITS
_KINDS: Final[Mapping[str, Kind]] = {"Float64": "number", "Int64": "number", "Bool": "bool"}
_DESCRIPTIONS: Final = {
    "churn_risk": "Probability of leaving within the scored horizon.",
    "in_lowest_tier": "Whether the churn risk score is in the lowest tier.",
    "upsell_chance": "Probability of expanding within the scored horizon.",
    "over_upsell_threshold": "Whether that is at or over the bundle's threshold.",
}


@dataclass(frozen=True, slots=True)
class Prediction:
    """A number that the graph gives, and what a field says of it.

    Attributes:
        head: The head.
        column: Of its probabilities.
        says: What the field says of the probability, of a number or an array; how to round to whole numbers is given.
    """

    head: str
    column: int
    says: Callable[[Any, Callable[[Any], Any]], Any]

    def of(self, outputs: Outputs, row: int | None, rint: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- a number or an array
        """Return what the field says of one row of *outputs*, or of all."""
        values = outputs.probabilities[self.head]
        return self.says(values[:, self.column] if row is None else values.item(row, self.column), rint)


@dataclass(frozen=True, slots=True)
class Told:
    """Every field of one bundle with where its value comes from.

    Attributes:
        fields: By name.
        columns: Column of the matrix of each field that is a model feature.
        predictions: What the graph says, by field.
        constants: What is the same for all accounts.
        policy: Fields that only policy reads; they stand in the context.
    """

    fields: Mapping[str, Field]
    columns: Mapping[str, int]
    predictions: Mapping[str, Prediction]
    constants: Mapping[str, float]
    policy: frozenset[str]


def told_by(manifest: Manifest) -> Told:
    """Return what checks of a bundle with this *manifest* may speak of; texts are left out."""
    contract = manifest.contract
    fields = {
        feature.name: Field(feature.name, _KINDS[feature.dtype], feature.description)
        for feature in contract.features
        if feature.dtype in _KINDS
    }
    predictions = _predictions(manifest)
    for name in predictions:
        kind: Kind = "bool" if name in {"in_lowest_tier", "over_upsell_threshold"} else "number"
        fields[name] = Field(name, kind, _DESCRIPTIONS.get(name, "A probability of the score."))
    constants = {"score_horizon_days": float(manifest.score_horizon_days)}
    fields["score_horizon_days"] = Field("score_horizon_days", "number", "The scored horizon in days.")
    if manifest.amount is not None:
        fields[EXTRA_MRR] = Field(
            EXTRA_MRR,
            "number",
            "Expected extra MRR if the account expands, over its MRR; with the outlook only.",
        )
    return Told(
        fields=fields,
        columns={feature.name: column for column, feature in enumerate(contract.model_features)},
        predictions=predictions,
        constants=constants,
        policy=frozenset(feature.name for feature in contract.features if feature.role == "policy"),
    )


def _shown(probability: Any, rint: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- a number or an array
    """Return a probability as answers show it, so that an account does not depend on those that it is scored with."""
    return rint(probability * _SHOWN_UNITS) / _SHOWN_UNITS


def _at_least(threshold: float, probability: Any, rint: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- likewise
    return _shown(probability, rint) >= threshold


def _scored_below(score: int, probability: Any, _: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- likewise
    """Return whether `churn_risk_score` of the exact probability is below *score*."""
    return probability * TIER_TOP + 0.5 < score


def _predictions(manifest: Manifest) -> dict[str, Prediction]:
    days = manifest.score_horizon_days
    found: dict[str, Prediction] = {}
    for head in manifest.heads:
        for column, horizon in enumerate(head.horizons_days):
            found[f"{head.name}_probability_{horizon}d"] = Prediction(head.name, column, _shown)
        if days not in head.horizons_days:
            continue
        column = head.horizons_days.index(days)
        if head.name == manifest.score_head:
            below = partial(_scored_below, manifest.tiers[0].high + 1)
            found["churn_risk"] = Prediction(head.name, column, _shown)
            found["in_lowest_tier"] = Prediction(head.name, column, below)
            continue
        found["upsell_chance"] = Prediction(head.name, column, _shown)
        threshold = head.thresholds.get(f"{days}d")
        if threshold is not None:
            over = partial(_at_least, threshold)
            found["over_upsell_threshold"] = Prediction(head.name, column, over)
    return found
