"""Wilson's interval of a share: what a count tells of the chance behind it, also where it is none or all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Z_90: Final = 1.6448536269514722
Z_95: Final = 1.959963984540054
"""Normal quantiles that leave 10 % and 5 % outside, half on either side."""


def wilson(hits: int, count: int, z: float) -> tuple[float, float]:
    """Return the central interval of a share of *hits* among *count*; 0 to 1 of nothing.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Args:
        hits: How many.
        count: Of how many.
        z: Normal quantile of the interval's ends, such as `Z_90`.
    """
    if count == 0:
        return 0.0, 1.0
    share, z2 = hits / count, z * z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == count else min(1.0, middle + half)
    return low, high


@dataclass(frozen=True, slots=True)
class Ratio:
    """A share with its interval.

    Attributes:
        events: How many.
        of: Of how many.
    """

    events: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, or None of nothing."""
        return self.events / self.of if self.of else None

    @property
    def interval_95(self) -> tuple[float, float]:
        """The 95 % interval by Wilson's score, which is 0 to 1 of nothing."""
        return wilson(self.events, self.of, Z_95)
