"""The facts of a model card: what people should know of a bundle, taken from its manifest and nothing else.

The form follows Mitchell et al. 2019, "Model Cards for Model Reporting": purpose, data, definitions, figures
against baselines, limits, provenance. HTML and Markdown are both rendered from this one value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.judged import judged_tables, remarks
from training.card.outlook_sections import outlook_sections
from training.card.plots import plots_of
from training.card.sections import sections_of
from training.card.values import CardFacts, Figure, HeadFacts, HorizonFacts, ModelFigures
from training.card.wording import (
    METRIC_LABELS,
    MODEL_LABELS,
    OURS,
    PURPOSE,
    SYNTHETIC,
    confidence,
    limits_of,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Manifest

__all__ = ["METRIC_LABELS", "OURS", "SYNTHETIC", "CardFacts", "Figure", "card_facts"]

_SHOWN_FEATURES = 10


def card_facts(manifest: Manifest) -> CardFacts:
    """Return the facts that *manifest* holds, in the words of a model card."""
    heads = tuple(
        _head(
            head.name,
            head.definition,
            manifest.metrics.get("heads", {}).get(head.name, {}),
            manifest.metrics.get("ceilings", {}).get(head.name, {}),
        )
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
        confidence=confidence(manifest.metrics.get("bootstrap", {})),
        tiers=tuple((tier.name, tier.low, tier.high) for tier in manifest.tiers),
        score=(
            f"churn_risk_score is the probability of leaving within {manifest.score_horizon_days} days "
            "times 100, "
            "rounded; higher is riskier."
        ),
        n_features=len(manifest.contract.model_features),
        explanations=explanations,
        parity=_parity(manifest),
        limits=limits_of(manifest, heads, explanations),
        hashes={
            "feature contract": manifest.contract_hash,
            "data": provenance.data_hash,
            "definitions": provenance.definitions_hash,
            "code": provenance.code_version,
            "trained at": provenance.trained_at.isoformat(),
            "seed": str(provenance.seed),
            "libraries": ", ".join(f"{name} {version}" for name, version in provenance.libraries.items()),
        },
        sections=(*outlook_sections(manifest.metrics), *sections_of(manifest.metrics)),
        score_horizon=f"{manifest.score_horizon_days}d",
    )


def _parity(manifest: Manifest) -> str:
    parity, further = manifest.parity, manifest.metrics.get("outlook_parity")
    text = (
        f"The served ONNX graph and LightGBM differ by at most {parity.max_abs_difference:.1e} in probability on "
        f"{parity.rows:,} rows that include every split threshold and missing values; more than "
        f"{parity.tolerance:.0e} would have been refused."
    )
    if further:
        text += (
            f" Intervals and all further outputs differ by at most {max(further['largest'].values()):.1e} on "
            f"{further['rows']:,} such rows."
        )
    return text


def _head(name: str, definition: str, entry: Mapping[str, Any], ceilings: Mapping[str, Any]) -> HeadFacts:
    importance = entry.get("importance", {})
    return HeadFacts(
        name=name,
        definition=definition,
        horizons=tuple(
            _horizon(key, found, ceilings.get(key, {})) for key, found in entry.get("horizons", {}).items()
        ),
        features=tuple(
            (feature, float(share)) for feature, share in list(importance.items())[:_SHOWN_FEATURES]
        ),
    )


def _horizon(key: str, found: Mapping[str, Any], ceiling: Mapping[str, Any]) -> HorizonFacts:
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
        verdict=verdict(found.get("roc_auc_gain", {})),
        plots=plots_of(found),
        remarks=remarks(found, ceiling),
        tables=judged_tables(found, ceiling),
    )
