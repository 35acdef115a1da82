"""Where the values of actions stand on one common scale, so that a page can draw them side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH: Final = 100.0
_DIGITS: Final = 1


@dataclass(frozen=True, slots=True)
class Range:
    """One value with its interval, in units of a drawing `WIDTH` wide.

    Attributes:
        zero: Where nothing gained and nothing lost is.
        low: Lower end.
        high: Upper end.
        mean: The value.
    """

    zero: float
    low: float
    high: float
    mean: float


def value_ranges(actions: Sequence[Mapping[str, Any]]) -> list[Range | None]:
    """Return where the expected value of each action stands; the scale holds all of them, and zero.

    Args:
        actions: As a brief has them; one whose value is not known gets None.
    """
    found = [_ends(one["expected_value"]) for one in actions]
    known = [end for ends in found if ends is not None for end in ends]
    first, last = min([0.0, *known]), max([0.0, *known])
    span = (last - first) or 1.0

    def place(value: float) -> float:
        return round(WIDTH * (value - first) / span, _DIGITS)

    return [
        None if ends is None else Range(place(0.0), place(ends[0]), place(ends[1]), place(ends[2]))
        for ends in found
    ]


def _ends(value: Mapping[str, Any]) -> tuple[float, float, float] | None:
    ends = (*value["interval_90"], value["amount"])
    return ends if all(end is not None and math.isfinite(end) for end in ends) else None
