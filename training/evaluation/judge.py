"""Judges a trained head: thresholds on validation, then every figure of ours and of the baselines on the test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.evaluation import baselines
from training.evaluation.decisions import Decisions, Rules
from training.evaluation.report import OURS, HeldOutRows, evaluate
from training.evaluation.segment_thresholds import SegmentRows
from training.evaluation.segments import Segmentation, mrr_of
from training.evaluation.thresholds import Stakes, Threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from serving.bundle.manifest import Encoding
    from training.dataset import Parts
    from training.definitions import HeadName, ThresholdPolicy
    from training.guards import SingleFeatureAuc
    from training.heads.train import TrainedHead


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of judging one head.

    Attributes:
        horizons: Per horizon (`90d`), the dictionary of `training.evaluation.report.evaluate`, and
            `calibration_forms` of the interval that ends there (see `training.heads.calibration_choice`), if compared.
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
    encodings: Sequence[Encoding] = (),
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
        encodings: Categories of string features, for thresholds and figures by segment; none without them.
    """
    name, horizons = trained.head.name, trained.head.horizons_days
    strength = baselines.choose_strength(
        parts.train.outcome(name, horizons[-1])[:2], parts.validation.outcome(name, horizons[-1])[:2], columns
    )
    segmentation = Segmentation.choose(columns, encodings, policy.segment_features)
    found: dict[str, Any] = {}
    thresholds: dict[str, Threshold] = {}
    for index, horizon in enumerate(horizons):
        key = f"{horizon}d"
        checked, outcome, owners = parts.validation.outcome(name, horizon)
        _, stakes, segments = _known(checked, columns, segmentation, name, policy)
        rules = Rules.choose(
            outcome,
            trained.on_train.probabilities(checked)[:, index],
            policy,
            stakes=stakes,
            segments=segments,
            account_id=owners,
        )
        thresholds[key] = rules.shipped
        fitted, label, _ = parts.refit.outcome(name, horizon)
        yardsticks = (
            baselines.base_rate(label),
            baselines.best_single_feature(fitted, label, columns, single_auc[name, horizon]),
            baselines.logistic_regression(fitted, label, columns, strength),
        )
        matrix, truth, accounts = parts.test.outcome(name, horizon)
        forms = {"calibration_forms": trained.forms[key]} if key in trained.forms else {}
        found[key] = forms | evaluate(
            HeldOutRows(
                account_id=accounts,
                label=truth,
                probabilities={
                    OURS: trained.head.probabilities(matrix)[:, index],
                    **{one.name: one.probability(matrix) for one in yardsticks},
                },
                threshold=thresholds[key],
                notes={one.name: one.note for one in yardsticks},
                decisions=Decisions(rules, *_known(matrix, columns, segmentation, name, policy)),
            ),
            samples=samples,
            seed=seed,
        )
    return Judgement(found, thresholds)


def _known(
    matrix: NDArray[np.float64],
    columns: Sequence[baselines.Column],
    segmentation: Segmentation | None,
    head: HeadName,
    policy: ThresholdPolicy,
) -> tuple[NDArray[np.float64] | None, Stakes | None, SegmentRows | None]:
    """Return MRR, stakes and segments of the rows of *matrix*, as far as the data has them."""
    mrr = mrr_of(matrix, columns)
    stakes = None if mrr is None else Stakes.of(mrr, policy.intervention(head), policy.margin_ratio)
    if segmentation is None:
        return mrr, stakes, None
    return (
        mrr,
        stakes,
        SegmentRows(segmentation.feature, segmentation.names, segmentation.codes(matrix)),
    )
