"""What is said of a head's quality: a dictionary for the manifest, and a table for the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from training.evaluation import metrics
from training.evaluation.bootstrap import AccountBootstrap, Estimate
from training.evaluation.brier import brier_decomposition
from training.evaluation.curves import curves
from training.evaluation.decisions import Decisions, judge_decisions
from training.evaluation.flagging import flagging
from training.evaluation.reliability import (
    calibration_error,
    equal_count_bins,
    reliability_curve,
    score_bands,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from training.evaluation.thresholds import Threshold

OURS = "keepgrow"
LABELS = {
    OURS: "Keepgrow",
    "base_rate": "base rate",
    "best_single_feature": "best single feature",
    "logistic_regression": "logistic regression",
}
_SHOWN = ("roc_auc", "average_precision", "brier", "log_loss", "precision", "recall", "f1", "lift_top_decile")


@dataclass(frozen=True, slots=True)
class HeldOutRows:
    """Test rows of one head and horizon whose label is known; n rows.

    Attributes:
        account_id: Shape (n,).
        label: Shape (n,), 0 or 1.
        probabilities: Per model, shape (n,): ours as `keepgrow`, and each baseline's.
        threshold: Chosen on validation for ours.
        notes: What each baseline is, in words.
        decisions: The other threshold rules, segments and money; None if only `threshold` is judged.
    """

    account_id: NDArray[np.object_]
    label: NDArray[np.float64]
    probabilities: Mapping[str, NDArray[np.float64]]
    threshold: Threshold
    notes: Mapping[str, str]
    decisions: Decisions | None = None


def evaluate(rows: HeldOutRows, *, samples: int, seed: int) -> dict[str, Any]:
    """Return every figure of every model on *rows*, with intervals that resample accounts.

    Args:
        rows: Labels and probabilities.
        samples: Resamples of the bootstrap.
        seed: Its seed.

    Returns:
        JSON-able: `rows`, `accounts`, `events`, `threshold`, `models` (name to `note` and `metrics`; precision, recall
        and F1 of a baseline are those of as many alerts as ours), `roc_auc_gain`
        (ours minus each baseline's on the same resamples), `curves` (see `training.evaluation.curves`), `calibration`
        and `score_bands` (see `training.evaluation.reliability` and `.brier`), and with decisions `policies`,
        `targets` and `segments` (see `training.evaluation.decisions`).
    """
    bootstrap = AccountBootstrap(rows.account_id, samples=samples, seed=seed)
    models = {
        name: {
            "note": rows.notes.get(name, ""),
            "metrics": {
                key: figure.as_dict()
                for key, figure in _figures(bootstrap, rows, probability, ours=name == OURS).items()
            },
        }
        for name, probability in rows.probabilities.items()
    }
    ours = rows.probabilities[OURS]
    gains = {
        name: bootstrap.estimate(_auc_gain(rows.label, ours, probability)).as_dict()
        for name, probability in rows.probabilities.items()
        if name != OURS
    }
    return {
        "rows": len(rows.label),
        "accounts": len(set(rows.account_id.tolist())),
        "events": int(rows.label.sum()),
        "threshold": {
            "value": rows.threshold.value,
            "rule": rows.threshold.rule,
            "sentence": rows.threshold.sentence,
        },
        "models": models,
        "roc_auc_gain": gains,
        "curves": {name: curve.as_dict() for name, curve in curves(rows.label, ours).items()},
        "calibration": _calibration(bootstrap, rows, ours),
        "score_bands": score_bands(rows.account_id, rows.label, ours),
        **({} if rows.decisions is None else judge_decisions(bootstrap, rows.label, ours, rows.decisions)),
    }


def _calibration(
    bootstrap: AccountBootstrap, rows: HeldOutRows, probability: NDArray[np.float64]
) -> dict[str, Any]:
    bins = equal_count_bins(probability)
    errors = calibration_error(bootstrap, rows.label, probability, bins)
    parts = brier_decomposition(bootstrap, rows.label, probability, bins)
    return {
        "bins": reliability_curve(rows.account_id, rows.label, probability, bins),
        **{name: figure.as_dict() for name, figure in errors.items()},
        "brier": {name: figure.as_dict() for name, figure in parts.items()},
    }


def _auc_gain(
    label: NDArray[np.float64], ours: NDArray[np.float64], other: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda weight: metrics.roc_auc(label, ours, weight) - metrics.roc_auc(label, other, weight)


def _figures(
    bootstrap: AccountBootstrap, rows: HeldOutRows, probability: NDArray[np.float64], *, ours: bool
) -> dict[str, Estimate]:
    label = rows.label
    found = {
        "roc_auc": bootstrap.estimate(lambda weight: metrics.roc_auc(label, probability, weight)),
        "average_precision": bootstrap.estimate(
            lambda weight: metrics.average_precision(label, probability, weight)
        ),
        "brier": bootstrap.estimate(lambda weight: metrics.brier(label, probability, weight)),
        "log_loss": bootstrap.estimate(lambda weight: metrics.log_loss(label, probability, weight)),
        "lift_top_decile": bootstrap.estimate(
            lambda weight: metrics.lift_at_top(label, probability, weight=weight)
        ),
        "calibration_ratio": bootstrap.estimate(
            lambda weight: metrics.calibration_in_the_large(label, probability, weight)
        ),
    }
    flagged = rows.probabilities[OURS] >= rows.threshold.value
    flags = flagging(bootstrap, label, flagged if ours else highest(probability, int(flagged.sum())))
    return found | {name: flags[name] for name in ("precision", "recall", "f1")}


def highest(score: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the chance of each row to be among the *count* highest, shape (n,), ties broken at random.

    So a baseline is judged by as many alerts as we raise, and one that gives every row the same probability by alerts
    at random.
    """
    order = np.argsort(-score, kind="stable")
    _, of_row, ties = np.unique(-score[order], return_inverse=True, return_counts=True)
    before = np.cumsum(ties) - ties
    share = np.clip((count - before) / ties, 0.0, 1.0)
    chance = np.empty(len(score))
    chance[order] = share[of_row]
    return chance


def evaluation_table(report: Mapping[str, Any]) -> Table:
    """Return the metrics of a training as a table: a line a head, horizon and model.

    Args:
        report: `TrainedModels.metrics`.
    """
    table = Table(title="On test cutoffs, with 95 % intervals (accounts resampled)", title_justify="left")
    for heading in (
        "head",
        "model",
        "ROC AUC",
        "avg precision",
        "Brier",
        "log loss",
        "precision",
        "recall",
        "F1",
        "lift 10 %",
    ):
        table.add_column(heading, justify="left" if heading in {"head", "model"} else "right", no_wrap=True)
    for head, entry in report["heads"].items():
        for horizon, found in entry["horizons"].items():
            title = f"{head} {horizon} ({found['events']}/{found['rows']})"
            for name, model in found["models"].items():
                cells = [
                    _cell(model["metrics"].get(key), short=key in {"brier", "log_loss"}) for key in _SHOWN
                ]
                table.add_row(title, LABELS[name], *cells, end_section=name == list(found["models"])[-1])
                title = ""
    return table


def _cell(figure: Mapping[str, float | None] | None, *, short: bool) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    if short or figure["low"] is None:
        return f"{figure['value']:.4f}"
    return f"{figure['value']:.3f} [{figure['low']:.2f}-{figure['high']:.2f}]"
