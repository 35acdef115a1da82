"""Scores round halves up, and every score has one tier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.bundle.manifest import Tier
from serving.scoring.score import churn_risk_score, risk_tier

TIERS = (
    Tier(name="low", low=0, high=24),
    Tier(name="medium", low=25, high=49),
    Tier(name="high", low=50, high=74),
    Tier(name="critical", low=75, high=100),
)


@pytest.mark.parametrize(
    ("probability", "score"),
    [
        (0.0, 0),
        (0.00499, 0),
        (0.005, 1),
        (0.125, 13),
        (0.375, 38),
        (0.62, 62),
        (0.994, 99),
        (0.995, 100),
        (1.0, 100),
    ],
)
def test_halves_go_up(probability: float, score: int) -> None:
    """The score is the probability in per cent, halves rounded towards the riskier side."""
    assert churn_risk_score(probability) == score


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_probability_never_scores_lower(one: float, other: float) -> None:
    """Scores are within 0 to 100 and keep the order of probabilities."""
    low, high = sorted((one, other))
    assert 0 <= churn_risk_score(low) <= churn_risk_score(high) <= 100


@pytest.mark.parametrize("probability", [-1e-9, 1.0000001, float("nan"), float("inf")])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    """A score is never made of something else than a probability."""
    with pytest.raises(ValueError, match="is not a probability"):
        churn_risk_score(probability)


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (0, "low"),
        (24, "low"),
        (25, "medium"),
        (50, "high"),
        (74, "high"),
        (75, "critical"),
        (100, "critical"),
    ],
)
def test_a_tier_holds_both_its_ends(score: int, name: str) -> None:
    """Tiers are closed ranges."""
    assert risk_tier(score, TIERS).name == name


@pytest.mark.parametrize("score", [-1, 101])
def test_a_score_outside_has_no_tier(score: int) -> None:
    """Outside 0 to 100 there is no tier."""
    with pytest.raises(ValueError, match="is not a score"):
        risk_tier(score, TIERS)
