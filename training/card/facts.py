"""The facts of a model card: what people should know of a bundle, taken from its manifest and nothing else.

The form follows Mitchell et al. 2019, "Model Cards for Model Reporting": purpose, data, definitions, figures
against baselines, limits, provenance. HTML and Markdown are both rendered from this one value.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Manifest

OURS = "keepgrow"
PURPOSE = (
    "It tells, for every customer account of a SaaS product, how likely the account is to leave and how "
    "likely it is to "
    "buy more, so that people can look at the right accounts first and say why. It ranks and explains; it "
    "does not say "
    "what an action would change, and it is not meant for decisions about natural persons."
)
SYNTHETIC = (
    "The data is synthetic: a simulation made it. Figures on it show that the method works, and say nothing "
    "about how "
    "well it will do on the accounts of a real company."
)
MODEL_LABELS = {
    OURS: "Keepgrow",
    "base_rate": "Base rate",
    "best_single_feature": "Best single feature",
    "logistic_regression": "Logistic regression",
}
METRIC_LABELS = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "precision": "Precision",
    "recall": "Recall",
    "lift_top_decile": "Lift, top 10 %",
    "calibration_ratio": "Predicted / observed",
}
_FEW_EVENTS = 100
_SHOWN_FEATURES = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric with its interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """The figures of one model, ours or a baseline's, by metric key."""

    key: str
    label: str
    note: str
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class HorizonFacts:
    """How one head did at one horizon, on test rows.

    Attributes:
        horizon: Such as `90d`.
        rows: Test rows whose label is known.
        accounts: Accounts among them.
        events: Rows with the event.
        threshold: How the decision threshold was chosen, in one sentence.
        models: Ours first, then each baseline.
        verdict: Whether ours ranks better than every baseline, in one sentence.
    """

    horizon: str
    rows: int
    accounts: int
    events: int
    threshold: str
    models: tuple[ModelFigures, ...]
    verdict: str


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """What is said of one head."""

    name: str
    definition: str
    horizons: tuple[HorizonFacts, ...]
    features: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that a model card says.

    Attributes:
        title: Heading.
        synthetic: The sentence that says so when the data is synthetic, else None.
        purpose: What the models are for.
        dataset: Name of the data set.
        parts: First and last cutoff of each part of the time split, by part.
        embargo_days: Days between the parts.
        label_end: Last day of data that labels read.
        heads: See `HeadFacts`.
        confidence: How intervals were made, in words.
        tiers: Name and range of every tier.
        score: What the score is, in one sentence.
        n_features: Features that the models read.
        explanations: Fidelity of contributions by name; empty if it was not measured.
        parity: Sentence about how far the served graph lies from LightGBM.
        limits: What one must not expect.
        hashes: Hashes, versions and times by name.
    """

    title: str
    synthetic: str | None
    purpose: str
    dataset: str
    parts: dict[str, tuple[str, str]]
    embargo_days: int
    label_end: str
    heads: tuple[HeadFacts, ...]
    confidence: str
    tiers: tuple[tuple[str, int, int], ...]
    score: str
    n_features: int
    explanations: dict[str, Any]
    parity: str
    limits: tuple[str, ...]
    hashes: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain data."""
        return asdict(self)


def card_facts(manifest: Manifest) -> CardFacts:
    """Return the facts that *manifest* holds, in the words of a model card."""
    heads = tuple(
        _head(head.name, head.definition, manifest.metrics.get("heads", {}).get(head.name, {}))
        for head in manifest.heads
    )
    provenance, window = manifest.provenance, manifest.window
    explanations = dict(manifest.metrics.get("explanations", {}))
    return CardFacts(
        title=f"Keepgrow churn and upsell models on {provenance.dataset}",
        synthetic=SYNTHETIC if provenance.synthetic else None,
        purpose=PURPOSE,
        dataset=provenance.dataset,
        parts={
            name: (first.isoformat(), last.isoformat())
            for name, (first, last) in (
                ("train", window.train),
                ("validation", window.validation),
                ("test", window.test),
            )
        },
        embargo_days=window.embargo_days,
        label_end=window.label_end.isoformat(),
        heads=heads,
        confidence=_confidence(manifest.metrics.get("bootstrap", {})),
        tiers=tuple((tier.name, tier.low, tier.high) for tier in manifest.tiers),
        score=(
            f"churn_risk_score is the probability of leaving within {manifest.score_horizon_days} days "
            "times 100, "
            "rounded; higher is riskier."
        ),
        n_features=len(manifest.contract.model_features),
        explanations=explanations,
        parity=(
            f"The served ONNX graph and LightGBM differ by at most {manifest.parity.max_abs_difference:.1e} "
            "in "
            f"probability on {manifest.parity.rows:,} rows that include every split threshold and missing "
            "values; more "
            f"than {manifest.parity.tolerance:.0e} would have been refused."
        ),
        limits=_limits(manifest, heads, explanations),
        hashes={
            "feature contract": manifest.contract_hash,
            "data": provenance.data_hash,
            "definitions": provenance.definitions_hash,
            "code": provenance.code_version,
            "trained at": provenance.trained_at.isoformat(),
            "seed": str(provenance.seed),
            "libraries": ", ".join(f"{name} {version}" for name, version in provenance.libraries.items()),
        },
    )


def _head(name: str, definition: str, entry: Mapping[str, Any]) -> HeadFacts:
    importance = entry.get("importance", {})
    return HeadFacts(
        name=name,
        definition=definition,
        horizons=tuple(_horizon(key, found) for key, found in entry.get("horizons", {}).items()),
        features=tuple(
            (feature, float(share)) for feature, share in list(importance.items())[:_SHOWN_FEATURES]
        ),
    )


def _horizon(key: str, found: Mapping[str, Any]) -> HorizonFacts:
    models = tuple(
        ModelFigures(
            key=name,
            label=MODEL_LABELS.get(name, name.replace("_", " ")),
            note=str(model.get("note", "")),
            figures={
                metric: Figure(figure["value"], figure["low"], figure["high"])
                for metric, figure in model["metrics"].items()
            },
        )
        for name, model in sorted(found["models"].items(), key=lambda item: item[0] != OURS)
    )
    return HorizonFacts(
        horizon=key,
        rows=int(found["rows"]),
        accounts=int(found["accounts"]),
        events=int(found["events"]),
        threshold=str(found.get("threshold", {}).get("sentence", "")),
        models=models,
        verdict=_verdict(found.get("roc_auc_gain", {})),
    )


def _verdict(gains: Mapping[str, Mapping[str, float | None]]) -> str:
    """Say which baselines are beaten beyond chance: those whose interval of the AUC gain lies above zero."""
    known = {name: gain for name, gain in gains.items() if gain["low"] is not None}
    if not known:
        return "There are too few test events to compare models."
    doubtful = [
        MODEL_LABELS.get(name, name).lower() for name, gain in known.items() if not (gain["low"] or 0.0) > 0.0
    ]
    if not doubtful:
        return "Ranks better than every baseline; no interval of the gain in ROC AUC holds zero."
    names = ", ".join(doubtful)
    return f"Not shown to rank better than: {names} (the interval of the gain in ROC AUC holds zero)."


def _confidence(bootstrap: Mapping[str, Any]) -> str:
    if not bootstrap:
        return "Intervals resample accounts."
    return (
        f"{bootstrap.get('confidence', 0.95):.0%} intervals over {bootstrap.get('samples')} resamples of "
        "accounts "
        "(not rows, as rows of one account resemble one another)."
    )


def _limits(
    manifest: Manifest, heads: tuple[HeadFacts, ...], explanations: Mapping[str, Any]
) -> tuple[str, ...]:
    limits = [
        (
            "A probability of buying more is not the effect of an offer: it says who would buy, not who buys "
            "because of it."
        ),
        (
            "Figures hold for accounts and times like those of the test window; retrain when plans, prices "
            "or "
            "tracking change."
        ),
        "Reasons say what moved the model, not what causes an account to leave.",
        (
            "An account younger than 28 days, or one with a feature view missing, is scored on thin "
            "evidence, "
            "and is told so."
        ),
    ]
    for head in heads:
        few = [horizon for horizon in head.horizons if horizon.events < _FEW_EVENTS]
        if few:
            counts = ", ".join(f"{horizon.events} within {horizon.horizon}" for horizon in few)
            limits.append(f"Few {head.name} events were tested ({counts}): heed the wide intervals.")
    if explanations:
        limits.append(
            f"Reasons are leaf-averaged TreeSHAP: on {explanations.get('rows', 0):,} rows their mean cosine "
            "with exact "
            f"TreeSHAP is {explanations.get('mean_cosine', 0.0):.3f}, and the strongest signal is the same "
            "on "
            f"{explanations.get('same_top_signal', 0.0):.0%} of rows."
        )
    if manifest.provenance.synthetic:
        limits.insert(0, SYNTHETIC)
    return tuple(limits)
