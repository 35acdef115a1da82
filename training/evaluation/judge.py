"""Judges a trained head: thresholds on validation, then every figure of ours and of the baselines on the test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.evaluation import baselines
from training.evaluation.report import OURS, TestRows, evaluate
from training.evaluation.thresholds import Threshold, choose_threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.dataset import Parts
    from training.definitions import ThresholdPolicy
    from training.guards import SingleFeatureAuc
    from training.heads.train import TrainedHead


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of judging one head.

    Attributes:
        horizons: Per horizon (`90d`), the dictionary of `training.evaluation.report.evaluate`.
        thresholds: Per horizon, the chosen threshold.
    """

    horizons: dict[str, Any]
    thresholds: dict[str, Threshold]


def judge(
    trained: TrainedHead,
    parts: Parts,
    columns: Sequence[baselines.Column],
    single_auc: SingleFeatureAuc,
    *,
    policy: ThresholdPolicy,
    samples: int,
    seed: int,
) -> Judgement:
    """Judge one head.

    Thresholds are chosen by the head that has not seen validation. The baselines are fitted to the same rows as the
    final boosters.

    Args:
        trained: The head.
        parts: Rows of every part.
        columns: What the matrix columns hold.
        single_auc: How well each column alone ranks training events.
        policy: How thresholds are chosen.
        samples: Resamples of the bootstrap.
        seed: Its seed.
    """
    name, horizons = trained.head.name, trained.head.horizons_days
    strength = baselines.choose_strength(
        parts.train.outcome(name, horizons[-1])[:2], parts.validation.outcome(name, horizons[-1])[:2], columns
    )
    found: dict[str, Any] = {}
    thresholds: dict[str, Threshold] = {}
    for index, horizon in enumerate(horizons):
        key = f"{horizon}d"
        checked, outcome, _ = parts.validation.outcome(name, horizon)
        thresholds[key] = choose_threshold(outcome, trained.on_train.probabilities(checked)[:, index], policy)
        fitted, label, _ = parts.refit.outcome(name, horizon)
        yardsticks = (
            baselines.base_rate(label),
            baselines.best_single_feature(fitted, label, columns, single_auc[name, horizon]),
            baselines.logistic_regression(fitted, label, columns, strength),
        )
        matrix, truth, accounts = parts.test.outcome(name, horizon)
        found[key] = evaluate(
            TestRows(
                account_id=accounts,
                label=truth,
                probabilities={
                    OURS: trained.head.probabilities(matrix)[:, index],
                    **{one.name: one.probability(matrix) for one in yardsticks},
                },
                threshold=thresholds[key],
                notes={one.name: one.note for one in yardsticks},
            ),
            samples=samples,
            seed=seed,
        )
    return Judgement(found, thresholds)
