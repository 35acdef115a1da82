"""Revenue at risk, extra revenue, and when an expansion would come."""

from __future__ import annotations

import math

import pytest

from serving.scoring.money import expected_days_to_event, revenue


def test_amounts_are_a_year_of_mrr_times_the_probability():
    """100 EUR a month at 20 % risk is 240 at risk; 30 % growth at 10 % chance is 36 more."""
    found = revenue(
        mrr=100.0, currency="EUR", churn_probability=0.2, upsell_probability=0.1, extra_mrr_ratio=0.3
    ).to_dict()
    assert found == {
        "currency": "EUR",
        "revenue_at_risk": 240.0,
        "extra_mrr_if_expands": 30.0,
        "expected_incremental_revenue": 36.0,
    }


@pytest.mark.parametrize(
    ("mrr", "currency"), [(None, "EUR"), (math.nan, "EUR"), (math.inf, "EUR"), (-1.0, "EUR"), (100.0, None)]
)
def test_without_mrr_or_currency_there_is_no_amount(mrr, currency):
    """An unknown MRR or currency gives no amount instead of a wrong one."""
    found = revenue(
        mrr=mrr, currency=currency, churn_probability=0.2, upsell_probability=0.1, extra_mrr_ratio=0.3
    )
    assert (found.revenue_at_risk, found.expected_incremental_revenue) == (None, None)


def test_without_a_ratio_only_the_risk_is_told():
    """An unknown growth leaves revenue at risk as it is."""
    found = revenue(
        mrr=100.0, currency="EUR", churn_probability=0.5, upsell_probability=0.1, extra_mrr_ratio=None
    )
    assert found.revenue_at_risk == pytest.approx(600.0)
    assert found.extra_mrr_if_expands is None


def test_the_expected_day_is_the_mean_of_interval_middles():
    """Half by day 30 and half from 30 to 90 is day (15 + 60) / 2."""
    assert expected_days_to_event((30, 90), (0.1, 0.2)) == pytest.approx(37.5)


def test_an_event_that_cannot_happen_has_no_day():
    """Zero probability by the last horizon gives None."""
    assert expected_days_to_event((30, 90), (0.0, 0.0)) is None


def test_as_many_probabilities_as_horizons_are_needed():
    """A missing probability is an error, not a shorter sum."""
    with pytest.raises(ValueError, match="argument 2"):
        expected_days_to_event((30, 60, 90), (0.1, 0.2))
