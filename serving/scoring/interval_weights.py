"""How much each interval's margin counts in the reasons for one probability, so that they add up to it.

The graph does the same for the reasons that it gives; these are for exact reasons, of a row at a time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALLEST: Final = 1e-16
"""Hazards and probabilities that differ by less from 0 or 1 are taken to differ by this, as in the graph."""
SAME: Final = 1e-6
"""Margins, and cumulative hazards in shares of the base's, that are nearer to the base have the derivative as slope."""


def interval_weights(margins: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return how much each interval's margin counts, so that contributions add up to the change of the log-odds.

    With the cumulative hazard H, the sum of `softplus` over margins, it is `(softplus(z) - softplus(b)) / (z - b)`
    times `(logit P - logit P0) / (H - H0)`, which is the same for all. Magnitudes are divided, none smaller than it is
    `SAME` away from the base, so where a difference vanishes it is the derivative.

    Args:
        margins: z of each interval, calibrated.
        base: b of each.
    """
    total, rise = _total(margins) - _total(base), log_odds(margins) - log_odds(base)
    least = SAME * max(_total(base), SMALLEST)
    onward = max(abs(rise), least / max(probability(base), SMALLEST)) / max(abs(total), least)
    return [
        max(abs(_softplus(z) - _softplus(b)), SAME * max(_sigmoid(b), SMALLEST))
        / max(abs(z - b), SAME)
        * onward
        for z, b in zip(margins, base, strict=True)
    ]


def log_odds(margins: Sequence[float]) -> float:
    """Return the log-odds of the probability that *margins* make; between -37 and 37 each."""
    return math.log(max(probability(margins), SMALLEST)) + _total(margins)


def probability(margins: Sequence[float]) -> float:
    """Return the probability of the event by the end of the last interval, whose *margins* are calibrated."""
    found = 0.0
    for margin in margins:
        found += _sigmoid(margin) * (1.0 - found)
    return found


def _sigmoid(margin: float) -> float:
    small = math.exp(-abs(margin))
    return (1.0 if margin >= 0 else small) / (1.0 + small)


def _softplus(margin: float) -> float:
    return -math.log(max(1.0 - _sigmoid(margin), SMALLEST))


def _total(margins: Sequence[float]) -> float:
    return sum(map(_softplus, margins))
