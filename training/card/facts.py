"""The facts of a model card: what people should know of a bundle, taken from its manifest and nothing else.

The form follows Mitchell et al. 2019, "Model Cards for Model Reporting": purpose, data, definitions, figures
against baselines, limits, provenance. HTML and Markdown are both rendered from this one value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.card.ablation_section import ablation_section
from training.card.data_section import data_section
from training.card.glossary import glossary
from training.card.judged import judged_tables, observed_to_expected, remarks
from training.card.outlook_sections import outlook_sections
from training.card.plots import plots_of
from training.card.scrutiny_sections import scrutiny_sections
from training.card.sections import sections_of, words
from training.card.summary import summary_of
from training.card.values import CardFacts, Figure, HeadFacts, HorizonFacts, ModelFigures
from training.card.wording import (
    METRIC_LABELS,
    MODEL_LABELS,
    OURS,
    PURPOSE,
    SYNTHETIC,
    confidence,
    doubtful_baselines,
    limits_of,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Manifest, TrainingCost

__all__ = ["METRIC_LABELS", "OURS", "SYNTHETIC", "CardFacts", "Figure", "card_facts"]

_SHOWN_FEATURES = 10
_SECONDS_A_MINUTE, _BYTES_A_MEGABYTE = 60, 1e6


def card_facts(manifest: Manifest, *, tag: str | None = None) -> CardFacts:
    """Return the facts that *manifest* holds, in the words of a model card.

    Args:
        manifest: Of the bundle; one of an earlier release says less.
        tag: The bundle's name in the model store, once it has one.
    """
    heads = tuple(
        _head(
            head.name,
            head.definition,
            manifest.metrics.get("heads", {}).get(head.name, {}),
            manifest.metrics.get("ceilings", {}).get(head.name, {}),
        )
        for head in manifest.heads
    )
    provenance = manifest.provenance
    explanations = dict(manifest.metrics.get("explanations", {}))
    return CardFacts(
        title=f"Keepgrow churn and upsell models on {provenance.dataset}",
        synthetic=SYNTHETIC if provenance.synthetic else None,
        purpose=PURPOSE,
        summary=summary_of(manifest, heads),
        data=data_section(manifest),
        heads=heads,
        confidence=confidence(manifest.metrics.get("bootstrap", {})),
        tiers=tuple((tier.name, tier.low, tier.high) for tier in manifest.tiers),
        score=(
            f"churn_risk_score is the probability of leaving within {manifest.score_horizon_days} days "
            "times 100, "
            "rounded; higher is riskier."
        ),
        explanations=explanations,
        parity=_parity(manifest),
        limits=limits_of(manifest, heads, explanations),
        hashes=_provenance(manifest, tag),
        sections=(
            *outlook_sections(manifest.metrics),
            ablation_section(manifest.metrics),
            *scrutiny_sections(manifest.metrics),
            *sections_of(manifest.metrics),
        ),
        score_horizon=f"{manifest.score_horizon_days}d",
        terms=glossary(manifest.metrics, manifest.currency),
    )


def _provenance(manifest: Manifest, tag: str | None) -> dict[str, str]:
    """Return what tells the bundle from every other, as far as it is known."""
    provenance = manifest.provenance
    known = {
        "bundle": tag,
        "graph": manifest.graph_hash,
        "feature contract": manifest.contract_hash,
        "data": provenance.data_hash,
        "definitions": provenance.definitions_hash,
        "definitions, settings and declared effects of the catalogue": provenance.configuration_hash,
        "code": provenance.code_version,
        "trained at": provenance.trained_at.isoformat(),
        "took": None if manifest.cost is None else _cost(manifest.cost),
        "seed": str(provenance.seed),
        "libraries": ", ".join(f"{name} {version}" for name, version in provenance.libraries.items()),
    }
    return {name: value for name, value in known.items() if value is not None}


def _cost(cost: TrainingCost) -> str:
    return (
        f"{cost.seconds / _SECONDS_A_MINUTE:.1f} minutes, {cost.processor_seconds / _SECONDS_A_MINUTE:.1f} minutes of "
        f"processors, {cost.peak_memory_bytes / _BYTES_A_MEGABYTE:,.0f} MB of memory at most"
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
            figures=_figures(model["metrics"]),
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
        doubtful=doubtful_baselines(found.get("roc_auc_gain", {})),
        missed=tuple(
            words(name).replace("f1", "F1")
            for name, target in found.get("targets", {}).items()
            if target["verdict"] == "missed"
        ),
        plots=plots_of(found),
        remarks=remarks(found, ceiling),
        tables=judged_tables(found, ceiling),
    )


def _figures(metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, Figure]:
    """Return figures by metric; the ratio of predicted to observed is told the other way round, as everywhere."""
    found = {key: Figure(figure["value"], figure["low"], figure["high"]) for key, figure in metrics.items()}
    ratio = metrics.get("calibration_ratio")
    if ratio is not None:
        found["observed_to_expected"] = Figure(**observed_to_expected(ratio))
    return found
