"""The cold-start scorer: VADER's word list and rules (Hutto and Gilbert 2014), English, untrained."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 5_000
"""Characters read of a text: the rules look at every pair of words, and a mood shows early."""


class VaderScorer:
    """Scores with VADER's compound value, rounded to four digits as VADER gives it."""

    @property
    def version(self) -> str:
        """Name and version of the word list."""
        return f"vader-{version('vaderSentiment')}"

    @cached_property
    def _analyser(self) -> SentimentIntensityAnalyzer:
        return SentimentIntensityAnalyzer()

    def score(self, texts: Sequence[str]) -> list[float]:
        """Return the mood of each text, from -1 (negative) to 1."""
        return [float(self._analyser.polarity_scores(text[:LONGEST])["compound"]) for text in texts]
