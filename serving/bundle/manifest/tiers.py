"""Tiers: named ranges of the churn risk score."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from serving.bundle.manifest.value import Value

TIER_TOP: Final = 100
"""The largest score."""


class Tier(Value):
    """A named closed range of `churn_risk_score`."""

    name: str
    low: int = Field(ge=0, le=TIER_TOP)
    high: int = Field(ge=0, le=TIER_TOP)


def require_cover(tiers: tuple[Tier, ...]) -> None:
    """Insist that *tiers* follow one another and together cover 0 to 100.

    Raises:
        ValueError: They don't; it names the first tier that is wrong.
    """
    expected = 0
    for tier in tiers:
        if tier.low != expected or tier.high < tier.low:
            raise ValueError(f"tier {tier.name!r} should start at {expected} and not end before it starts")
        expected = tier.high + 1
    if expected != TIER_TOP + 1:
        raise ValueError(f"tiers must cover 0 to {TIER_TOP}")
