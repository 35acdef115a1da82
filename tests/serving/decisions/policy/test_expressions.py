"""Expressions are refused when loaded if they could fail later."""

from __future__ import annotations

import pytest

from serving.decisions.policy.expressions import MEMORY, Expression
from serving.decisions.policy.fields import policy_fields
from serving.errors import PolicyError

FIELDS = policy_fields(
    [("seats", "Int64", "Seats."), ("plan", "String", "Plan."), ("onboarded", "Bool", "Onboarded.")], []
)


def checked(source: str, *may_be_missing: str) -> Expression:
    """Return the expression *source*, compiled and checked."""
    expression = Expression(source, "rule 'r'", FIELDS)
    expression.require_types("rule 'r'", FIELDS, may_be_missing)
    return expression


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("seats >=", "is not an expression"),
        ("seatz > 1.0", "no such field: seatz"),
        ("seats.size > 1.0", "fails for"),
        ("plan > 3", "fails for"),
        ("seats + plan == 'x'", "fails for"),
        ("seats", "should be true or false"),
        ("onboarded ? plan : 'no'", "should be true or false"),
        ("onboarded || plan", "fails for"),
        ("onboarded && seats > 'a'", "fails for"),
        ("plan.matches('(a+)+$')", "not allowed in a rule: matches"),
        ("[1, 2].exists(i, i > 1)", "no such field: i"),
        ("timestamp('2026-01-01T00:00:00Z') == null", "not allowed in a rule: timestamp"),
    ],
)
def test_what_could_fail_in_front_of_an_account_is_an_error_when_loaded(source: str, message: str) -> None:
    """Typos, wrong types, other results than true and false, and unbounded functions are named."""
    with pytest.raises(PolicyError, match="rule 'r'") as caught:
        checked(source)
    assert message in str(caught.value)


def test_a_field_that_may_be_missing_is_tried_with_null() -> None:
    """Who says that a field may be missing must compare it with null first."""
    with pytest.raises(PolicyError, match="'seats': None"):
        checked("seats > 3.0", "seats")
    assert checked("seats == null || seats > 3.0", "seats").holds({"seats": None})


def test_numbers_compare_with_literals_of_either_kind() -> None:
    """People write 3 as often as 3.0."""
    expression = checked("seats >= 3 && seats < 4.5")
    assert expression.holds({"seats": 3.0, "other": None})
    assert not expression.holds({"seats": 5.0})


def test_an_error_is_no() -> None:
    """An expression that fails in spite of all checks stops the action."""
    assert not Expression("seats > 3.0", "rule 'r'", FIELDS).holds({"seats": None})


def test_remembered_answers_stay_right_and_bounded() -> None:
    """However many different values come, each gets its own answer, and memory does not grow with them."""
    expression = checked("seats > 5000.0")
    for round_ in range(2):
        for seats in range(2 * MEMORY):
            assert expression.holds({"seats": float(seats)}) == (seats > 5000), round_
    assert len(expression._known) <= MEMORY
