"""What the account card says of the future: money, trajectory, window and time, from score and features alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from serving.scoring.evidence import Evidence
from serving.scoring.outlook import Outlook
from serving.scoring.prospects import prospects
from serving.scoring.result import AccountScore

if TYPE_CHECKING:
    from serving.bundle.loader import Bundle

OUTLOOK = Outlook(0.4, 0.25, (0.1, 0.2, 0.7), (), ())
"""The classes of the small bundle are improving, stable, declining."""


def told(bundle: Bundle, *, features: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return the prospects of an account of 100 USD a month that leaves with 0.3 and expands with 0.2."""
    score = AccountScore(
        account_id="acme",
        churn_risk_score=30,
        churn_risk_tier="medium",
        churn_probability={"30d": 0.1, "60d": 0.2, "90d": 0.3},
        upsell_probability={"30d": 0.05, "60d": 0.1, "90d": 0.2},
        raising=(),
        lowering=(),
        evidence=Evidence("full", {}, ()),
        model="keepgrow:test",
        feature_contract="sha256:test",
        churn_interval={"30d": [0.05, 0.2], "60d": [0.1, 0.3], "90d": [0.2, 0.45]},
        outlook=OUTLOOK,
    )._replace(**changes)
    known = {"mrr": 100.0, "days_to_term_end": 45, **(features or {})}
    return prospects(bundle.manifest, score, known, "USD")


def test_money_is_a_year_of_it_at_the_scored_horizon(further: Bundle) -> None:
    """A hundred a month at 30 % is 360 at risk; a quarter more at 20 % is 60 to come."""
    card = told(further)
    assert card["revenue_at_risk"] == {"amount": 360.0, "currency": "USD", "interval_90": [240.0, 540.0]}
    assert card["extra_mrr_if_expands"] == {"amount": 25.0, "currency": "USD"}
    assert card["expected_incremental_revenue"] == {"amount": 60.0, "currency": "USD"}


def test_the_trajectory_names_what_is_likeliest(further: Bundle) -> None:
    """Classes come with their probabilities, in days that the bundle says."""
    assert told(further)["health_trajectory"] == {
        "days": 90,
        "most_likely": "declining",
        "probability": {"improving": 0.1, "stable": 0.2, "declining": 0.7},
    }


@pytest.mark.parametrize(
    ("declining", "term", "window"),
    [
        (0.7, 45, "reactive"),
        (0.7, 75, "timely"),
        (0.2, 45, "timely"),
        (0.2, 10, "emergency"),
        (0.7, None, "timely"),
    ],
)
def test_the_window_hears_hazard_trajectory_and_term(
    further: Bundle, declining: float, term: int | None, window: str
) -> None:
    """An account at risk is more urgent if its health declines and its term ends soon."""
    outlook = OUTLOOK._replace(trajectory=(0.0, 1.0 - declining, declining))
    assert (
        told(further, outlook=outlook, features={"days_to_term_end": term})["intervention_window"] == window
    )


def test_the_time_to_close_reaches_to_the_long_horizon(further: Bundle) -> None:
    """Half of those who expand within a year do so within 90 days; the mean day is the mean of interval middles."""
    expected = (0.05 * 15 + 0.05 * 45 + 0.1 * 75 + 0.2 * 227.5) / 0.4
    card = told(further)
    assert card["time_to_close"] == {"expected_days": round(expected, 1), "within_days": 365}
    assert card["upsell_probability_long"] == {"365d": 0.4}
    nothing = OUTLOOK._replace(upsell_long=0.0)
    never = told(further, outlook=nothing, upsell_probability={"30d": 0.0, "60d": 0.0, "90d": 0.0})
    assert never["time_to_close"] is None


def test_what_a_bundle_lacks_is_null_and_the_rest_stands(bundle: Bundle) -> None:
    """Without an outlook there are revenue at risk, window and time to close from the horizons that there are."""
    card = told(bundle, outlook=None, churn_interval=None)
    assert card["revenue_at_risk"] == {"amount": 360.0, "currency": "USD", "interval_90": None}
    assert card["health_trajectory"] is None
    assert card["upsell_probability_long"] is None
    assert card["extra_mrr_if_expands"]["amount"] is None
    assert card["expected_incremental_revenue"]["amount"] is None
    assert card["intervention_window"] == "timely"
    assert card["time_to_close"]["within_days"] == 90


@pytest.mark.parametrize("mrr", [None, -5.0, "a lot"])
def test_without_revenue_there_is_no_money(further: Bundle, mrr: object) -> None:
    """An unknown or impossible MRR gives no amounts, and no interval of one."""
    card = told(further, features={"mrr": mrr})
    assert card["revenue_at_risk"] == {"amount": None, "currency": "USD", "interval_90": None}
    assert card["extra_mrr_if_expands"]["amount"] is None
