"""What counts as learnt from draws, and what is a prior that they moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from serving.bundle.manifest import LEARNT_WEIGHT, is_learnt
from training.heads.uplift.head import UpliftHead
from training.heads.uplift.shrinkage import Prior
from training.outlook_values import is_moved

MEASURED = {"mean": 0.03, "standard_error": 0.02}


def slope(raw: float, error: float, used: float) -> dict[str, float]:
    """Return what a report says of a slope."""
    return {"raw": raw, "standard_error": error, "used": used}


@pytest.mark.parametrize(
    ("shipped", "learnt"),
    [
        ({"measured": None, "weight_of_draws": 0.0, "slope": None}, False),
        ({"measured": MEASURED, "weight_of_draws": 0.07, "slope": None}, False),
        ({"measured": MEASURED, "weight_of_draws": LEARNT_WEIGHT, "slope": None}, True),
        ({"measured": MEASURED, "weight_of_draws": 0.07, "slope": slope(0.9, 0.2, 0.8)}, True),
        ({"measured": MEASURED, "weight_of_draws": 0.07, "slope": slope(0.3, 0.2, 0.2)}, False),
        ({"measured": MEASURED, "weight_of_draws": 0.07, "slope": slope(-0.9, 0.2, 0.0)}, False),
        ({"measured": MEASURED, "weight_of_draws": 0.07, "slope": slope(0.0, float("inf"), 0.0)}, False),
    ],
)
def test_only_what_draws_carry_is_learnt(shipped: dict[str, Any], learnt: bool) -> None:
    """Draws must weigh half of the average, or trees must have come true beyond chance; having draws is not enough."""
    assert is_learnt(shipped) is learnt


def test_a_head_of_its_prior_alone_was_not_moved() -> None:
    """An average, an error or trees of its own mean that draws moved the head."""
    alone = UpliftHead.from_prior("guide", "retained", Prior(0.1, 0.02))
    assert not is_moved(alone)
    assert is_moved(replace(alone, average=0.09))
    assert is_moved(replace(alone, average_sd=0.015))
