"""What the truth allows: the figures of a model that knows the true probabilities, on the same rows as ours.

Whether an account leaves is chance even to one who knows its true probability, so precision, recall and AUC have a
ceiling below 1. On a synthetic world the true probabilities are known, and rank the same rows by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap
from training.evaluation.flagging import flagging
from training.evaluation.thresholds import Stakes, choose_threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from training.evaluation.bootstrap import Estimate
    from training.evaluation.thresholds import Threshold
    from training.threshold_definitions import InterventionValue, ThresholdMode, ThresholdPolicy

TRUTH, OURS = "truth", "keepgrow"


@dataclass(frozen=True, slots=True)
class TruthRows:
    """Rows of one head and horizon whose true probability and label are known; n rows.

    Attributes:
        account_id: Shape (n,).
        label: Shape (n,), 0 or 1.
        truth: Shape (n,): true probability.
        ours: Shape (n,): probability by our model.
        mrr: Shape (n,), currency a month; None if the data has none.
    """

    account_id: NDArray[np.object_]
    label: NDArray[np.float64]
    truth: NDArray[np.float64]
    ours: NDArray[np.float64]
    mrr: NDArray[np.float64] | None


def ceiling(
    validation: TruthRows,
    test: TruthRows,
    *,
    policy: ThresholdPolicy,
    thresholds: Mapping[ThresholdMode, Threshold],
    value: InterventionValue,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Return what ranking by the truth reaches beside what we reach; JSON-able.

    The truth's thresholds are chosen on validation rows by the rules that ours were chosen by.

    Args:
        validation: Rows for the truth's thresholds; labels may be expected ones, that is probabilities.
        test: Rows for all figures.
        policy: Rules and targets.
        thresholds: Our thresholds by mode.
        value: What acting on a flagged account costs and brings.
        samples: Resamples of the bootstrap.
        seed: Its seed.

    Returns:
        `rows`, `accounts`, `events`; `ranking`: per model ROC AUC, average precision, Brier score and log loss with
        intervals; `roc_auc_gap`, the truth's less ours; `policies`: per mode and model `threshold` and `figures`;
        `expected`: see `expected_ceiling`; `error`: how far our probabilities lie from the true ones.
    """
    if not len(test.label):
        return {"rows": 0, "accounts": 0, "events": 0}
    bootstrap = AccountBootstrap(test.account_id, samples=samples, seed=seed)
    models = {TRUTH: test.truth, OURS: test.ours}
    found: dict[str, Any] = {
        "rows": len(test.label),
        "accounts": len(set(test.account_id.tolist())),
        "events": int(test.label.sum()),
        "ranking": {name: _ranking(bootstrap, test.label, one) for name, one in models.items()},
        "roc_auc_gap": bootstrap.estimate(
            lambda weight: (
                metrics.roc_auc(test.label, test.truth, weight)
                - metrics.roc_auc(test.label, test.ours, weight)
            )
        ).as_dict(),
        "policies": {},
        "expected": expected_ceiling(test.truth, policy),
        "error": {
            "mean_absolute": round(float(np.abs(test.ours - test.truth).mean()), 6),
            "mean_ratio": round(float(test.ours.mean() / max(test.truth.mean(), 1e-12)), 6),
            "rank_correlation": round(_rank_correlation(test.ours, test.truth), 6),
        },
    }

    def stakes_of(rows: TruthRows) -> Stakes | None:
        return None if rows.mrr is None else Stakes.of(rows.mrr, value, policy.margin_ratio)

    for mode, chosen in thresholds.items():
        best = choose_threshold(
            validation.label,
            validation.truth,
            policy,
            mode=mode,
            stakes=stakes_of(validation),
            account_id=validation.account_id,
        )
        pair = {TRUTH: best, OURS: chosen}
        found["policies"][mode] = {
            name: {
                "threshold": one.value,
                "rule": one.rule,
                "figures": _as_dicts(
                    flagging(
                        bootstrap, test.label, models[name] >= one.value, mrr=test.mrr, stakes=stakes_of(test)
                    )
                ),
            }
            for name, one in pair.items()
        }
    return found


def expected_ceiling(truth: NDArray[np.float64], policy: ThresholdPolicy) -> dict[str, float | None]:
    """Return the most that any ranking can be expected to reach on rows of these true probabilities.

    Each row counts as an event by its probability, so that no luck of the draw is in it. No threshold rule that sees
    less than the truth gets more, on average.

    Args:
        truth: Shape (n,), true probabilities.
        policy: Targets, and the fewest rows that a threshold must flag.

    Returns:
        `roc_auc`, `average_precision`, `brier`, `best_f1`, `best_precision` (of at least `min_alerts` rows), and
        `recall_at_target_precision` (None where the target can't be reached).
    """
    ordered = np.sort(truth)[::-1]
    flagged = np.arange(1, len(ordered) + 1)
    hits = np.cumsum(ordered)
    enough = flagged >= min(policy.min_alerts, len(ordered))
    precision, recall = hits / flagged, hits / max(float(hits[-1]), 1e-12)
    reached = np.flatnonzero(enough & (precision >= policy.target_precision))
    figures = {
        "roc_auc": float(metrics.roc_auc(truth, truth)[0]),
        "average_precision": float(metrics.average_precision(truth, truth)[0]),
        "brier": float(np.mean(truth * (1 - truth))),
        "best_f1": float(np.max(np.where(enough, 2 * hits / (flagged + hits[-1]), 0.0))),
        "best_precision": float(np.max(np.where(enough, precision, 0.0))),
        "recall_at_target_precision": float(recall[reached[-1]]) if len(reached) else None,
    }
    return {name: None if number is None else round(number, 6) for name, number in figures.items()}


def _ranking(
    bootstrap: AccountBootstrap, label: NDArray[np.float64], probability: NDArray[np.float64]
) -> dict[str, Any]:
    figures: dict[str, Callable[..., NDArray[np.float64]]] = {
        "roc_auc": metrics.roc_auc,
        "average_precision": metrics.average_precision,
        "brier": metrics.brier,
        "log_loss": metrics.log_loss,
    }
    return _as_dicts(
        {
            name: bootstrap.estimate(lambda weight, figure=figure: figure(label, probability, weight))  # type: ignore[misc]
            for name, figure in figures.items()
        }
    )


def _rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    ranks = [np.unique(values, return_inverse=True)[1].astype(np.float64) for values in (one, other)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _as_dicts(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: figure.as_dict() for name, figure in figures.items()}
