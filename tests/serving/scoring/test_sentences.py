"""Values are said in plain English, whatever they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.contract import ContractFeature
from serving.errors import BundleError
from serving.scoring.sentences import make_template
from tests.serving.world import make_contract

if TYPE_CHECKING:
    from serving.features.rows import ContextValue


def feature(text: str, *, dtype: str = "Float64", description: str = "What it is.") -> ContractFeature:
    """Return a feature with this template."""
    return ContractFeature.model_validate(
        {
            "view": "usage",
            "name": "it",
            "dtype": dtype,
            "role": "model",
            "description": description,
            "signal": "it",
            "text": text,
            "redis_field_hex": "00",
        }
    )


REAL = make_contract().features


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("Log-ins {change} against the baseline", 0.38, "Log-ins fell 62 % against the baseline"),
        ("Log-ins {change} against the baseline", 1.12, "Log-ins rose 12 % against the baseline"),
        ("Log-ins {change} against the baseline", 1.004, "Log-ins held level against the baseline"),
        ("Log-ins {change} against the baseline", 0.0, "Log-ins fell 100 % against the baseline"),
        ("Log-ins {change} against the baseline", 25.5, "Log-ins rose 2,450 % against the baseline"),
        ("{value} log-ins in the last 7 days", 12.0, "12 log-ins in the last 7 days"),
        ("{value} log-ins in the last 7 days", 1.0, "1 log-in in the last 7 days"),
        ("{value} log-ins in the last 7 days", 0.0, "0 log-ins in the last 7 days"),
        ("{value} urgent tickets in the last 90 days", 1, "1 urgent ticket in the last 90 days"),
        ("{value} tickets are open", 1, "1 ticket is open"),
        ("{value} tickets are open", 2, "2 tickets are open"),
        ("{value} touches with people", 1, "1 touch with people"),
        ("{value} changes of plan in the last year", 1, "1 change of plan in the last year"),
        (
            "Somebody logged in on {value} of the last 28 days",
            1,
            "Somebody logged in on 1 of the last 28 days",
        ),
        ("Billed every {value} months", 12, "Billed every 12 months"),
        ("{value} API calls in the last 28 days", 1234567.0, "1,234,567 API calls in the last 28 days"),
        ("The mean mood is {value}", -0.25, "The mean mood is -0.25"),
        ("The mean mood is {value}", -0.001, "The mean mood is 0"),
        ("{value} active users a day", 12.34, "12.3 active users a day"),
        ("{value} hours", 123.4, "123 hours"),
        ("{percent} % of the seats are in use", 0.9, "90 % of the seats are in use"),
        ("{percent} % of uses failed", 0.004, "0.4 % of uses failed"),
        ("The account pays {money} a month", 1234.0, "The account pays 1,234 a month"),
        ("The account pays {money} a month", 9.5, "The account pays 9.50 a month"),
        ("{days} since the last touch", 1, "1 day since the last touch"),
        ("{days} since the last touch", 40.0, "40 days since the last touch"),
        ("The account is {days} old", 1200, "The account is 1,200 days old"),
        ("Onboarded: {value}", True, "Onboarded: yes"),
        ("Onboarded: {value}", False, "Onboarded: no"),
        ("", 3.0, "What it is: 3"),
    ],
)
def test_a_value_is_said_in_its_template(text: str, value: ContextValue, said: str) -> None:
    """Numbers, changes, shares, money, days and flags read as people write them."""
    assert make_template(feature(text)).say(value) == said


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_missing_value_is_said_to_be_unknown(value: ContextValue) -> None:
    """Where nothing is known the sentence says so, and of what."""
    template = make_template(feature("{change}", description="Log-ins in the last 7 days."))
    assert template.say(value) == "Nothing is known of this: log-ins in the last 7 days"
    assert (
        make_template(feature("", description="API calls.")).say(value)
        == "Nothing is known of this: API calls"
    )


def test_strings_are_said_as_they_are_even_with_braces_and_emoji() -> None:
    """A plan's name is data, never a template."""
    template = make_template(feature("The plan is {value}", dtype="String"))
    assert template.say("{percent} \N{ROCKET}") == "The plan is {percent} \N{ROCKET}"


def test_a_string_feature_that_asks_for_a_number_is_refused_by_name() -> None:
    """A template that can't be filled is found when a bundle is loaded, not when an account is scored."""
    with pytest.raises(BundleError, match="'it' has the text"):
        make_template(feature("{percent} %", dtype="String"))


@pytest.mark.parametrize("real", REAL, ids=lambda real: f"{real.view}:{real.name}")
@pytest.mark.parametrize("value", [0, 1, 0.5, 37.25, 1e6, 1e300, -4.0, None])
def test_every_real_feature_can_be_said(real: ContractFeature, value: float | None) -> None:
    """Each feature of the pipeline has a sentence for any value, without leftovers of the template."""
    said: ContextValue = value
    if value is not None and real.dtype == "String":
        said = str(value)
    elif value is not None and real.dtype == "Bool":
        said = bool(value)
    sentence = make_template(real).say(said)
    assert sentence
    assert "{" not in sentence
    assert "nan" not in sentence.split()
    assert "  " not in sentence
    assert len(sentence) < 400 or value == 1e300


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_breaks_a_sentence(value: float) -> None:
    """Every float has a sentence in every kind of placeholder."""
    for placeholder in ("{value}", "{percent}", "{change}", "{money}", "{days}"):
        assert make_template(feature(f"It is {placeholder}")).say(value)
