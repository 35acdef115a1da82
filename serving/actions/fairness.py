"""Who gets an action and who does not, by group: E3 of a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from serving.wilson import Z_90, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.decisions.frame import DecisionFrame

ATTRIBUTES: Final = ("segment", "region")
LEAST_RATIO: Final = 0.8
"""The four-fifths rule: a group's share below this part of the largest share is looked at (29 CFR 1607.4 D)."""


def exposure(frames: Sequence[DecisionFrame], gets: Sequence[bool]) -> dict[str, Any]:
    """Return, for each attribute, the share of each group that gets an action, and how equal the shares are.

    `surely_unequal` says that the shares differ by more than the four-fifths rule allows even at the favourable ends
    of their intervals; small groups are never sure.

    Args:
        frames: The accounts.
        gets: For each of them, whether it gets one.
    """
    return {name: _by_group(name, frames, gets) for name in ATTRIBUTES}


def _by_group(name: str, frames: Sequence[DecisionFrame], gets: Sequence[bool]) -> dict[str, Any]:
    members: dict[str, list[bool]] = {}
    for frame, one in zip(frames, gets, strict=True):
        members.setdefault(frame.text(name) or "unknown", []).append(one)
    groups: list[dict[str, Any]] = []
    for value, ones in sorted(members.items()):
        low, high = wilson(sum(ones), len(ones), Z_90)
        groups.append(
            {
                "group": value,
                "accounts": len(ones),
                "gets": sum(ones),
                "share": round(sum(ones) / len(ones), 6),
                "interval_90": [round(low, 6), round(high, 6)],
            }
        )
    shares = [group["share"] for group in groups]
    best = max(groups, key=lambda group: group["share"], default=None)
    ratio = min(shares) / max(shares) if shares and max(shares) > 0 else 1.0
    sure = best is not None and any(
        group["interval_90"][1] < LEAST_RATIO * best["interval_90"][0] for group in groups
    )
    return {"groups": groups, "parity_ratio": round(ratio, 6), "surely_unequal": sure}
