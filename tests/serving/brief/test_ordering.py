"""The order of a brief, whatever the actions are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.brief.ordering import BLAST_RADII, safety_key


def simulation(
    key: str = "a", *, allowed: bool = True, radius: str = "low", reversible: bool = True,
    complaint: float = 0.0, discount: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Return what the order looks at."""
    return {
        "allowed": allowed,
        "blast_radius": radius,
        "reversible": reversible,
        "projection": {"complaint_risk": {"mean": complaint}, "budget": {"discounts_year": discount}},
        "action": {"action_key": key},
    }


ONE = st.tuples(
    st.builds(
        simulation,
        allowed=st.booleans(),
        radius=st.sampled_from(BLAST_RADII),
        reversible=st.booleans(),
        complaint=st.sampled_from([0.0, 0.01, 0.5]),
        discount=st.sampled_from([0.0, 100.0]),
    ),
    st.floats(-1e6, 1e6),
)


@given(st.lists(ONE, max_size=8), st.randoms(use_true_random=False))
def test_the_safest_comes_first_in_whatever_order_they_come(
    found: list[tuple[dict[str, Any], float]], random: Any
) -> None:
    """Of two neighbours the first is safer in the first respect in which they differ; input order never matters."""
    named = [
        ({**one, "action": {"action_key": f"k{place}"}}, value) for place, (one, value) in enumerate(found)
    ]
    ordered = sorted(named, key=lambda one: safety_key(*one))
    shuffled = list(named)
    random.shuffle(shuffled)
    assert sorted(shuffled, key=lambda one: safety_key(*one)) == ordered
    for (before, value), (after, other_value) in pairwise(ordered):
        respects = [
            (not before["allowed"], not after["allowed"]),
            (BLAST_RADII.index(before["blast_radius"]), BLAST_RADII.index(after["blast_radius"])),
            (not before["reversible"], not after["reversible"]),
            (before["projection"]["complaint_risk"]["mean"], after["projection"]["complaint_risk"]["mean"]),
            (
                before["projection"]["budget"]["discounts_year"],
                after["projection"]["budget"]["discounts_year"],
            ),
            (-value, -other_value),
        ]
        first = next((pair for pair in respects if pair[0] != pair[1]), (0, 1))
        assert first[0] < first[1]


def test_value_does_not_outweigh_safety() -> None:
    """An action worth a million stands behind a harmless one worth a cent."""
    harmless, rich = simulation("z"), simulation("a", radius="high")
    assert safety_key(harmless, 0.01) < safety_key(rich, 1e6)
    assert safety_key(simulation("a"), 5.0) < safety_key(simulation("b"), 4.0)
    assert safety_key(simulation(reversible=False), 1.0) < safety_key(simulation(allowed=False), 9.0)
