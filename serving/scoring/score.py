"""From a probability to the integer score and its tier."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from serving.bundle.manifest import TIER_TOP, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

PROBABILITY_DIGITS: Final = 6
"""Decimals of every probability that is shown, and that changes, checks and policy go by."""


def churn_risk_score(probability: float) -> int:
    """Return the score of a churn probability: `floor(100 p + 0.5)`, so halves go up, to the riskier side.

    Args:
        probability: From 0 to 1.

    Returns:
        An integer from 0 to 100; higher is riskier.

    Raises:
        ValueError: *probability* is not within 0 to 1.
    """
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"{probability!r} is not a probability")
    return math.floor(probability * TIER_TOP + 0.5)


def risk_tier(score: int, tiers: Sequence[Tier]) -> Tier:
    """Return the tier whose closed range holds *score*.

    Args:
        score: Churn risk, an integer from 0 to 100, higher is riskier.
        tiers: Disjoint ranges that together cover 0 to 100.

    Raises:
        ValueError: *score* is outside 0 to 100.
    """
    for tier in tiers:
        if tier.low <= score <= tier.high:
            return tier
    raise ValueError(f"{score!r} is not a score from 0 to {TIER_TOP}")
