"""The order in which a brief shows actions: the safest first, so that the eye meets the smallest mistake first.

The rank by value is the decision's own and stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BLAST_RADII: Final = ("low", "medium", "high")
ORDER: Final = (
    "Actions that may be applied come before those that may not. Among them: the smaller blast radius first, what can "
    "be undone before what can't, the lower risk of a complaint, the smaller discount, the higher value, the key."
)

SafetyKey = tuple[bool, int, bool, float, float, float, str]


def safety_key(simulation: Mapping[str, Any], value: float) -> SafetyKey:
    """Return the sort key of an action; the safest has the smallest.

    Args:
        simulation: Its simulation, as `simulate_action` makes it.
        value: Its expected value with levers, by which decisions rank.
    """
    projection = simulation["projection"]
    return (
        not simulation["allowed"],
        BLAST_RADII.index(simulation["blast_radius"]),
        not simulation["reversible"],
        projection["complaint_risk"]["mean"],
        projection["budget"]["discounts_year"],
        -value,
        simulation["action"]["action_key"],
    )
