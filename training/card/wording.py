"""What a model card says in words: purpose, names of models and metrics, verdicts, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.bundle.manifest import Manifest
    from training.card.values import HeadFacts

OURS = "keepgrow"
PURPOSE = (
    "It tells, for every customer account of a SaaS product, how likely the account is to leave and how "
    "likely it is to "
    "buy more, so that people can look at the right accounts first and say why. What an action would change "
    "is told apart from that, and only where draws or declared priors say so. It is not meant for decisions "
    "about natural persons."
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
    "f1": "F1",
    "lift_top_decile": "Lift, top 10 %",
    "observed_to_expected": "Observed / expected",
}
RULES_INSTEAD = {
    "best_precision": "target out of reach: the best short list",
    "best_recall": "target out of reach: finds every event of validation",
    "max_f1": "target out of reach: largest F1",
    "none": "flags nobody",
}
"""What a threshold rule did where it could not have what it asks for; `max_f1` only in bundles of earlier releases."""
_FEW_EVENTS = 100


def doubtful_baselines(gains: Mapping[str, Mapping[str, float | None]]) -> tuple[str, ...]:
    """Return the baselines that are not surely beaten: those whose interval of the AUC gain holds zero."""
    return tuple(
        MODEL_LABELS.get(name, name).lower()
        for name, gain in gains.items()
        if gain["low"] is not None and not gain["low"] > 0.0
    )


def verdict(gains: Mapping[str, Mapping[str, float | None]]) -> str:
    """Say which baselines are beaten beyond chance: those whose interval of the AUC gain lies above zero."""
    if all(gain["low"] is None for gain in gains.values()):
        return "There are too few test events to compare models."
    doubtful = doubtful_baselines(gains)
    if not doubtful:
        return "Ranks better than every baseline; no interval of the gain in ROC AUC holds zero."
    names = ", ".join(doubtful)
    return f"Not shown to rank better than: {names} (the interval of the gain in ROC AUC holds zero)."


def confidence(bootstrap: Mapping[str, Any]) -> str:
    """Say how intervals were made."""
    if not bootstrap:
        return "Intervals resample accounts."
    return (
        f"{bootstrap.get('confidence', 0.95):.0%} intervals over {bootstrap.get('samples')} resamples of "
        "accounts "
        "(not rows, as rows of one account resemble one another)."
    )


def limits_of(
    manifest: Manifest, heads: tuple[HeadFacts, ...], explanations: Mapping[str, Any]
) -> tuple[str, ...]:
    """Say what one must not expect of the bundle."""
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
    untold = manifest.metrics.get("ceilings", {}).get("left_out")
    if untold:
        limits.append(f"What the truth of the simulation allows is not told: {untold}.")
    if manifest.provenance.synthetic:
        limits.insert(0, SYNTHETIC)
    return tuple(limits)
