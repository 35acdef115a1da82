"""First messages of support tickets, composed from a grammar.

A message is a greeting, small talk, a problem, a mood, a wish and a farewell, some left out, with slips.
Every one is invented; the words stand in `tickets_phrases` and `tickets_problems`. Mood has six levels from
furious to delighted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.synthetic import tickets_phrases as phrases
from training.synthetic.plans import PRODUCT_FEATURES
from training.synthetic.tickets_problems import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

TOPICS: tuple[str, ...] = tuple(PROBLEMS)
MOODS = len(phrases.MOOD_LINES)
DRAWS_PER_TEXT = 40
"""Uniform values that one text may use."""

_NEUTRAL = 3


class _Dice:
    """Choices made by a row of uniform values, one after another."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = iter(values)

    def chance(self, probability: float) -> bool:
        return next(self._values) < probability

    def pick(self, options: Sequence[str]) -> str:
        return options[int(next(self._values) * len(options))]

    def number(self, low: int, high: int) -> int:
        return low + int(next(self._values) * (high - low + 1))


def compose(topic: str, mood: int, feature: int, urgent: bool, draws: NDArray[np.float64]) -> str:
    """Return the first message of a ticket.

    Args:
        topic: One of `TOPICS`.
        mood: 0 furious, 1 angry, 2 annoyed, 3 neutral, 4 friendly, 5 delighted.
        feature: Index into `PRODUCT_FEATURES`.
        urgent: Whether the sender says that it is urgent.
        draws: `DRAWS_PER_TEXT` uniform values on [0, 1).
    """
    dice = _Dice(draws.tolist())
    slots = {
        "feature": PRODUCT_FEATURES[feature].words,
        "n": str(dice.number(2, 60)),
        "big": f"{dice.number(2, 98)},{dice.number(0, 999):03d}",
        "code": dice.pick(phrases.ERROR_CODES),
        "when": dice.pick(phrases.WHEN),
        "who": dice.pick(phrases.WHO),
        "role": dice.pick(phrases.ROLES),
        "browser": dice.pick(phrases.BROWSERS),
        "system": dice.pick(phrases.OTHER_SYSTEMS),
        "deadline": dice.pick(phrases.DEADLINES),
    }
    polite = mood >= _NEUTRAL
    parts: list[str] = []
    if dice.chance(0.75 if polite else 0.4):
        parts.append(dice.pick(phrases.GREETINGS if polite else phrases.SHORT_GREETINGS))
    if dice.chance(0.25 if polite else 0.04):
        parts.append(dice.pick(phrases.SMALL_TALK))
    opening = dice.pick(phrases.MOOD_LINES[mood]) if dice.chance(0.5) else ""
    if opening:
        parts.append(opening)
    parts.append(dice.pick(PROBLEMS[topic]))
    if dice.chance(0.55):
        parts.append(dice.pick(phrases.DETAILS))
    if dice.chance(0.35 if mood <= 1 else 0.15):
        parts.append(dice.pick(phrases.IMPACTS if mood < _NEUTRAL else phrases.MILD_IMPACTS))
    if not opening or dice.chance(0.45):
        parts.append(dice.pick(phrases.MOOD_LINES[mood]))
    if urgent:
        parts.append(dice.pick(phrases.URGENCY))
    if dice.chance(0.6):
        parts.append(dice.pick(phrases.POLITE_WISHES if polite else phrases.BLUNT_WISHES))
    if dice.chance(0.6 if polite else 0.2):
        parts.append(dice.pick(phrases.FAREWELLS))
    text = " ".join(parts).format_map(slots)
    return _slips(text, mood, dice)


def _slips(text: str, mood: int, dice: _Dice) -> str:
    """Return *text* with the emoji, capitals and typing errors that people make."""
    if mood == 0 and dice.chance(0.3):
        text = text.upper() if dice.chance(0.3) else text.replace(". ", "!!! ", 1)
    if dice.chance(0.12 if mood != _NEUTRAL else 0.03):
        text += " " + dice.pick(phrases.EMOJI[mood])
    if dice.chance(0.10):
        text = text[0] + text[1:].lower()
    for edit in (_swap, _drop, _double):
        if dice.chance(0.07):
            text = edit(text, dice)
    return text


def _swap(text: str, dice: _Dice) -> str:
    at = dice.number(1, len(text) - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _drop(text: str, dice: _Dice) -> str:
    at = dice.number(1, len(text) - 2)
    return text[:at] + text[at + 1 :]


def _double(text: str, dice: _Dice) -> str:
    at = dice.number(1, len(text) - 2)
    return text[:at] + text[at] + text[at:]
