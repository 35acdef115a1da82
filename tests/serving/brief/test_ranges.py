"""Where values stand on a page's common scale."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.brief.ranges import WIDTH, Range, value_ranges


def worth(mean: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    """Return an action of a brief, as far as the scale looks at it."""
    return {"expected_value": {"amount": mean, "interval_90": [low, high]}}


def test_all_values_share_one_scale_that_holds_zero() -> None:
    """From the lowest end to the highest; a value that is not known is not drawn."""
    found = value_ranges([worth(10.0, -20.0, 40.0), worth(60.0, 50.0, 80.0), worth(None, None, None)])
    assert found == [Range(20.0, 0.0, 60.0, 30.0), Range(20.0, 70.0, 100.0, 80.0), None]
    assert value_ranges([worth(5.0, 4.0, 10.0)]) == [Range(0.0, 40.0, 100.0, 50.0)]
    assert value_ranges([worth(0.0, 0.0, 0.0)]) == [Range(0.0, 0.0, 0.0, 0.0)]
    assert value_ranges([]) == []


@given(st.lists(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3).map(sorted), max_size=5))
def test_nothing_is_drawn_outside(values: list[list[float]]) -> None:
    """Whatever the values are, each stands within the drawing, its ends on either side of it."""
    for one in value_ranges([worth(mean, low, high) for low, mean, high in values]):
        assert one is not None
        assert 0.0 <= one.low <= one.mean <= one.high <= WIDTH
        assert 0.0 <= one.zero <= WIDTH
