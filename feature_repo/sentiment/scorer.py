"""What a ticket scorer is, and which one is configured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODEL_SETTING = "KEEPGROW_SENTIMENT_MODEL"
"""Environment variable with the path of a trained scorer; without it, the word list of VADER scores."""


class Scorer(Protocol):
    """Turns text into mood."""

    @property
    def version(self) -> str:
        """Name and version; a score is kept only as long as this stays the same."""
        ...

    def score(self, texts: Sequence[str]) -> list[float]:
        """Return the mood of each text, from -1 (negative) to 1."""
        ...


def configured_scorer(environ: Mapping[str, str] | None = None) -> Scorer:
    """Return the scorer that the environment names: a trained one, or VADER.

    Args:
        environ: Environment variables; those of the process if None.

    Raises:
        DataFolderError: The named file is not a trained scorer.
    """
    path = (os.environ if environ is None else environ).get(MODEL_SETTING)
    if path:
        from feature_repo.sentiment.tfidf import load_scorer  # noqa: PLC0415 - scikit-learn loads slowly

        return load_scorer(Path(path))
    from feature_repo.sentiment.vader import VaderScorer  # noqa: PLC0415 - as above

    return VaderScorer()
