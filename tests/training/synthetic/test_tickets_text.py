"""The grammar of ticket texts."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from training.synthetic.plans import PRODUCT_FEATURES
from training.synthetic.tickets_text import DRAWS_PER_TEXT, MOODS, TOPICS, compose

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


def _texts(n: int, mood: int) -> list[str]:
    rng = np.random.default_rng(5)
    return [
        compose(
            TOPICS[k % len(TOPICS)], mood, k % len(PRODUCT_FEATURES), k % 7 == 0, rng.random(DRAWS_PER_TEXT)
        )
        for k in range(n)
    ]


def test_texts_are_varied() -> None:
    """Of three thousand texts of one mood hardly any two are the same."""
    assert len(set(_texts(3_000, 3))) > 2_970


def test_no_slot_stays_open() -> None:
    """Every slot is filled in every mood, and every text has words."""
    for mood in range(MOODS):
        for text in _texts(400, mood):
            assert "{" not in text
            assert any(letter in string.ascii_letters for letter in text)


def test_any_draws_make_a_text() -> None:
    """The smallest and the largest random values make texts as well: no choice runs over its list."""
    for topic in TOPICS:
        for mood in range(MOODS):
            for value in (0.0, 1.0 - 2.0**-53):
                assert len(compose(topic, mood, 0, urgent=True, draws=np.full(DRAWS_PER_TEXT, value))) > 20


def test_mood_can_be_heard() -> None:
    """A lexicon that knows nothing of this grammar hears each mood as better than the one before."""
    analyzer = SentimentIntensityAnalyzer()
    heard = [
        np.mean([analyzer.polarity_scores(text)["compound"] for text in _texts(300, mood)])
        for mood in range(MOODS)
    ]
    assert heard == sorted(heard)
    assert heard[0] < -0.2
    assert heard[-1] > 0.5


def test_tickets_leave_the_sentiment_to_the_reader(small_table: Callable[[str], pa.Table]) -> None:
    """`sentiment` is null throughout; texts are there for almost all tickets, CSAT for a part."""
    tickets = small_table("support_tickets")
    assert tickets["sentiment"].null_count == len(tickets)
    assert tickets["text"].null_count < 0.06 * len(tickets)
    assert 0.2 < 1 - tickets["csat"].null_count / len(tickets) < 0.7
    assert len(pc.unique(tickets["text"])) > 0.9 * len(tickets)
