"""The trained scorer: TF-IDF of words and of characters inside words, and logistic regression.

It is kept as a NumPy archive of plain arrays (words, weights), which loading can't turn into code, and scored
by the very transformers that trained it. ONNX was tried: the converter refuses
n-grams of characters inside words, and what it makes of words needs a locale that many machines lack.
"""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from feature_repo.errors import DataFolderError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LABELS = ("negative", "neutral", "positive")
FORMAT = "keepgrow-ticket-sentiment-1"
PARTS: dict[str, dict[str, Any]] = {
    "word": {"analyzer": "word", "ngram_range": (1, 2), "sublinear_tf": True, "min_df": 2},
    "char": {"analyzer": "char_wb", "ngram_range": (2, 4), "sublinear_tf": True, "min_df": 3},
}
STRENGTH = 4.0
LONGEST = 20_000


@dataclass(frozen=True)
class TrainedScorer:
    """A logistic regression over TF-IDF terms.

    Attributes:
        terms: By part, its terms in column order.
        idf: By part, the inverse document frequencies.
        weights: (3, n_terms), rows in the order of `LABELS`.
        intercepts: (3,).
    """

    terms: dict[str, tuple[str, ...]]
    idf: dict[str, np.ndarray]
    weights: np.ndarray
    intercepts: np.ndarray

    @cached_property
    def version(self) -> str:
        """Name and digest of the weights."""
        digest = hashlib.sha256("\0".join(term for part in PARTS for term in self.terms[part]).encode())
        for array in (*(self.idf[part] for part in PARTS), self.weights, self.intercepts):
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"tfidf-{digest.hexdigest()[:16]}"

    @cached_property
    def _vectorizers(self) -> list[TfidfVectorizer]:
        made = []
        for part, options in PARTS.items():
            options = {key: value for key, value in options.items() if key != "min_df"}  # noqa: PLW2901 - a copy
            vectorizer = TfidfVectorizer(
                **options, vocabulary={term: column for column, term in enumerate(self.terms[part])}
            )
            vectorizer.idf_ = self.idf[part]
            made.append(vectorizer)
        return made

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Return (n, 3) probabilities in the order of `LABELS`."""
        cut = [text[:LONGEST] for text in texts]
        matrix = sparse.hstack([vectorizer.transform(cut) for vectorizer in self._vectorizers], format="csr")
        margins = np.asarray(matrix @ self.weights.T) + self.intercepts
        odds = np.exp(margins - margins.max(axis=1, keepdims=True))
        result: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
        return result

    def score(self, texts: Sequence[str]) -> list[float]:
        """Return P(positive) - P(negative) of each text."""
        if not texts:
            return []
        chances = self.probabilities(texts)
        return [float(value) for value in chances[:, 2] - chances[:, 0]]

    def save(self, path: Path) -> None:
        """Write the scorer to *path* in one step."""
        buffer = io.BytesIO()
        arrays = {f"{part}_terms": _packed(self.terms[part]) for part in PARTS}
        arrays |= {f"{part}_idf": self.idf[part] for part in PARTS}
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            format=np.frombuffer(FORMAT.encode(), np.uint8),
            weights=self.weights,
            intercepts=self.intercepts,
            **arrays,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(buffer.getvalue())
        os.replace(temporary, path)  # noqa: PTH105 - says replace, which is meant


def train_scorer(texts: Sequence[str], labels: Sequence[str], *, seed: int = 0) -> TrainedScorer:
    """Train a scorer.

    Args:
        texts: Ticket texts.
        labels: One of `LABELS` for each text; each label must occur.
        seed: Seed of the solver.

    Raises:
        ValueError: A label is unknown or does not occur, or texts and labels differ in number.
    """
    if len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts but {len(labels)} labels; give one label a text")
    unknown = sorted(set(labels) - set(LABELS))
    absent = [label for label in LABELS if label not in set(labels)]
    if unknown or absent:
        raise ValueError(
            f"labels must be {', '.join(LABELS)}, each at least once; unknown: {unknown}, absent: {absent}"
        )
    cut = [text[:LONGEST] for text in texts]
    vectorizers = {part: TfidfVectorizer(**options) for part, options in PARTS.items()}
    matrix = sparse.hstack(
        [vectorizer.fit_transform(cut) for vectorizer in vectorizers.values()], format="csr"
    )
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300, random_state=seed)
    model.fit(matrix, np.array([LABELS.index(label) for label in labels]))
    return TrainedScorer(
        terms={part: tuple(map(str, v.get_feature_names_out())) for part, v in vectorizers.items()},
        idf={part: np.asarray(v.idf_, float) for part, v in vectorizers.items()},
        weights=np.asarray(model.coef_, float),
        intercepts=np.asarray(model.intercept_, float),
    )


def load_scorer(path: Path) -> TrainedScorer:
    """Read a scorer that `save` wrote.

    Raises:
        DataFolderError: There is no such file, or it is not a trained scorer.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if bytes(archive["format"]).decode() != FORMAT:
                raise DataFolderError(f"{path}: a scorer of another version; train it again")
            return TrainedScorer(
                terms={part: _unpacked(archive[f"{part}_terms"]) for part in PARTS},
                idf={part: archive[f"{part}_idf"] for part in PARTS},
                weights=archive["weights"],
                intercepts=archive["intercepts"],
            )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataFolderError(
            f"{path}: not a trained ticket scorer ({error}); make one with `keepgrow sentiment train`"
        ) from error


def _packed(terms: Sequence[str]) -> np.ndarray:
    """Return *terms* as UTF-8 bytes, one a line; no term has a line feed, as both parts cut there."""
    return np.frombuffer("\n".join(terms).encode(), np.uint8)


def _unpacked(packed: np.ndarray) -> tuple[str, ...]:
    return tuple(packed.tobytes().decode().split("\n"))
