"""Conditions say on arrays what the CEL library says of each account."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.decisions.policy.cel_library import compile_cel
from serving.decisions.policy.field import Field
from serving.scoring.verification.errors import VerificationError
from serving.scoring.verification.expression import parts_of

FIELDS = {
    **{name: Field(name, "number", "") for name in ("a", "b")},
    **{name: Field(name, "bool", "") for name in ("f", "g")},
    "t": Field("t", "text", ""),
}
SLOTS = {"a": 0, "b": 1, "f": 2, "g": 3}
NUMBERS = (-1.0, 0.0, 0.5, 1.0, 2.0)


def _inner(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(children, st.sampled_from(["&&", "||", "==", "!="]), children)
    return st.one_of(joined.map(lambda of: f"({of[0]} {of[1]} {of[2]})"), children.map(lambda one: f"!{one}"))


_SUM = st.recursive(
    st.sampled_from(["a", "b", "0.5", "1.0", "-a"]),
    lambda of: st.tuples(of, st.sampled_from("+-*"), of).map(lambda one: f"({one[0]} {one[1]} {one[2]})"),
    max_leaves=4,
)
_COMPARED = st.tuples(_SUM, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _SUM).map(
    lambda of: f"({of[0]} {of[1]} {of[2]})"
)
CONDITIONS = st.recursive(
    st.one_of(_COMPARED, st.sampled_from(["f", "g", "true", "!g"])), _inner, max_leaves=6
)
ROWS = st.lists(
    st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.booleans(), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(CONDITIONS, min_size=1, max_size=3), rows=ROWS)
def test_a_condition_is_what_the_library_says(
    parts: list[str], rows: list[tuple[float, float, bool, bool]]
) -> None:
    """Whatever the expression, all its parts together are true of an account, alone and among others, where CEL is."""
    source = " && ".join(parts)
    program = compile_cel(source)
    expected = [program.execute(dict(zip("abfg", row, strict=True))) for row in rows]
    found = [part.bound(SLOTS) for part in parts_of(source, "a check", FIELDS)]
    alone = [all(holds([float(value) for value in row]) for holds in found) for row in rows]
    columns = list(np.array(rows, dtype=np.float64).T)
    together = [np.broadcast_to(holds(columns), len(rows)) for holds in found]
    assert alone == expected
    assert np.logical_and.reduce(together).tolist() == expected


def test_not_binds_as_in_cel() -> None:
    """`!f == g` is `(!f) == g`, also where another language would read it otherwise."""
    (part,) = parts_of("!f == g", "a check", FIELDS)
    assert part.bound(SLOTS)([0.0, 0.0, 1.0, 0.0])
    assert part.names == {"f", "g"}


@pytest.mark.parametrize(
    "source",
    ["t == 'x'", "a / b > 1.0", "size('x') == 1", "a == null", "f ? g : f", "a in [1.0]", "'x' == 'x'"],
)
def test_what_can_not_be_told_for_many_is_refused(source: str) -> None:
    """Texts, quotients, functions, null and choices are refused, and the error says what a check can say."""
    with pytest.raises(VerificationError, match="check 'x'"):
        parts_of(source, "check 'x'", FIELDS)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("mrrr == 0.0", "no such field: mrrr"),
        ("a + b", "should be true or false"),
        ("a >", "is not an expression"),
    ],
)
def test_what_is_no_condition_is_named(source: str, named: str) -> None:
    """An unknown field, a number and what can't be parsed are told apart."""
    with pytest.raises(VerificationError, match=named):
        parts_of(source, "check 'x'", FIELDS)
