"""Numbers of a brief as people read them."""

from __future__ import annotations

import pytest

from serving.brief import wording

MINUS, THIN, HARD = wording.MINUS, wording.NARROW, wording.NO_BREAK


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (wording.number(1234567.0), f"1{THIN}234{THIN}567"),
        (wording.number(-0.4), "0"),
        (wording.number(-12.0), f"{MINUS}12"),
        (wording.number(None), "not known"),
        (wording.money(4.481, "USD"), f"4.48{HARD}USD"),
        (wording.money(1890.6, "USD"), f"1{THIN}891{HARD}USD"),
        (wording.money(4.481, "JPY"), f"4{HARD}JPY"),
        (wording.money_range([-3.2, 14.78], "USD"), f"{MINUS}3.20 to 14.78{HARD}USD"),
        (wording.money_range(None, "USD"), "not known"),
        (wording.percent(0.623), f"62.3{HARD}%"),
        (wording.percent(0.623, 0), f"62{HARD}%"),
        (wording.percent(None), "not known"),
        (wording.percent_range([0.0, 0.25]), f"0.0 to 25.0{HARD}%"),
        (wording.percent_range(None), "not known"),
        (wording.points(0.0243), "+2.4"),
        (wording.points(-0.0243), f"{MINUS}2.4"),
        (wording.points(0.0001), "0.0"),
        (wording.points(-0.0001), "0.0"),
        (wording.points_range([0.004, 0.045]), "+0.4 to +4.5"),
        (wording.time("2026-03-01T13:05:59Z"), "01 Mar 2026, 13:05 UTC"),
        (wording.span(90), f"2{HARD}minutes"),
        (wording.span(46800), f"13{HARD}hours"),
        (wording.span(172800), f"2{HARD}days"),
        (wording.span(None), "not known"),
        (wording.horizon("90d"), f"90{HARD}days"),
        (wording.words("quiet_hours"), "Quiet hours"),
        (wording.stage("contact_policy"), "Contact rules"),
        (wording.stage("of_the_future"), "Of the future"),
        (wording.plain("Needs open_tickets at most 2"), "Needs open tickets at most 2"),
        (wording.fact("mrr", 1890.6, "USD"), f"1{THIN}891{HARD}USD"),
        (wording.fact("adoption_ratio", 0.29, "USD"), f"29{HARD}%"),
        (wording.fact("auto_renew", True, "USD"), "yes"),
        (wording.fact("tenure_days", 1, "USD"), f"1{HARD}day"),
    ],
)  # fmt: skip
def test_numbers_have_units_signs_and_as_many_digits_as_they_are_worth(made: str, wanted: str) -> None:
    """Each kind of number is written in one way."""
    assert made == wanted


def test_a_budget_is_told_in_one_sentence() -> None:
    """What an action takes, what is used and how much may be; unknown use is said to be unknown."""
    use = {"unit": "csm_minutes", "takes": 45, "used": 1200, "limit": 6000, "window_days": 7}
    text = (
        f"takes 45{HARD}minutes; used 1{THIN}200{HARD}minutes of 6{THIN}000{HARD}minutes within 7{HARD}days"
    )
    assert wording.budget(use, "USD") == text
    assert "used not known of" in wording.budget({**use, "used": None}, "USD")
    money = {"unit": "cost", "takes": 0.5, "used": 0, "limit": 50000, "window_days": 30}
    assert wording.budget(money, "USD").startswith(
        f"takes 0.50{HARD}USD; used 0{HARD}USD of 50{THIN}000{HARD}USD"
    )
