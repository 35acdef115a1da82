"""How well a scorer tells moods apart, on texts that people labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from feature_repo.sentiment.tfidf import LABELS, TrainedScorer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feature_repo.sentiment.labelled import Labelled
    from feature_repo.sentiment.scorer import Scorer

NEUTRAL_BAND = 0.05
"""VADER's authors call a compound value within this band neutral."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A scorer on labelled texts.

    Attributes:
        scorer: Its version.
        texts: Number of texts.
        auc_negative: Area under the ROC curve of "negative" against the rest, by the score.
        macro_f1: Mean F1 over the three labels.
    """

    scorer: str
    texts: int
    auc_negative: Interval
    macro_f1: Interval


def evaluate(scorer: Scorer, labelled: Labelled, *, seed: int = 0, resamples: int = 500) -> Evaluation:
    """Evaluate *scorer* on *labelled*.

    Args:
        scorer: A scorer; one with `probabilities` is judged by its likeliest label, another by the score's
            sign.
        labelled: Texts and labels; at least one negative and one other.
        seed: Seed of the bootstrap.
        resamples: Bootstrap samples of texts.
    """
    truth = np.array(labelled.labels)
    scores = np.array(scorer.score(labelled.texts))
    if isinstance(scorer, TrainedScorer):
        predicted = np.array(LABELS)[scorer.probabilities(labelled.texts).argmax(axis=1)]
    else:
        predicted = np.where(
            scores <= -NEUTRAL_BAND, "negative", np.where(scores >= NEUTRAL_BAND, "positive", "neutral")
        )

    def auc(rows: np.ndarray) -> float:
        return float(roc_auc_score(truth[rows] == "negative", -scores[rows]))

    def f1(rows: np.ndarray) -> float:
        return float(f1_score(truth[rows], predicted[rows], average="macro"))

    samples = np.random.default_rng(seed).integers(0, len(truth), (resamples, len(truth)))
    return Evaluation(
        scorer.version, len(truth), _interval(auc, truth, samples), _interval(f1, truth, samples)
    )


def _interval(
    metric: Callable[[np.ndarray], float], truth: np.ndarray, samples: Sequence[np.ndarray] | np.ndarray
) -> Interval:
    values = [metric(rows) for rows in samples if 0 < (truth[rows] == "negative").mean() < 1]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(metric(np.arange(len(truth))), float(low), float(high))
