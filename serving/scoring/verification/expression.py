"""Conditions of checks for many accounts at once: CEL, the language of all rules, worked out on arrays.

The CEL library takes microseconds an account and condition. What checks say needs little of the language: comparisons,
sums, differences and products, `&&`, `||`, `!`. That part is translated into functions that take numbers and
arrays alike; a property test holds them against the library.
"""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from serving.decisions.policy.expressions import Expression
from serving.errors import PolicyError
from serving.scoring.verification.errors import VerificationError

if TYPE_CHECKING:
    from serving.decisions.policy.field import Field

Node = Callable[[Sequence[Any]], Any]
"""Works out a part of a condition from the values of all slots: numbers of one account, or an array a slot."""

_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_SUMS: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
}  # fmt: skip
_NOT: Final = re.compile(r"!(?!=)")
_WORDS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Part:
    """One of the conditions that a check joins by `&&`.

    Attributes:
        tree: As it was parsed.
        fields: What it may read.
        names: The fields that it reads.
    """

    tree: ast.expr
    fields: Mapping[str, Field]
    names: frozenset[str]

    def bound(self, slots: Mapping[str, int]) -> Node:
        """Return what tells whether the condition is true, of values that stand in *slots*."""
        return _node(self.tree, self.fields, slots)


def parts_of(source: str, owner: str, fields: Mapping[str, Field]) -> tuple[Part, ...]:
    """Return the conditions that *source* joins by `&&`.

    Args:
        source: A CEL expression.
        owner: Names it in errors.
        fields: What it may read.

    Raises:
        VerificationError: It is no expression, reads what is no field, is neither true nor false, or says more than
            can be told for many accounts at once.
    """
    try:
        Expression(source, owner, fields).require_types(owner, fields, ())
    except PolicyError as error:
        raise VerificationError(str(error)) from error
    # `~` binds in Python as `!` does in CEL, and `not` does not.
    written = _NOT.sub("~", source).replace("&&", " and ").replace("||", " or ")
    try:
        root = ast.parse(" ".join(written.split()), mode="eval").body
        _node(root, fields, dict.fromkeys(fields, 0))
    except (SyntaxError, _NotTranslatedError) as error:
        raise VerificationError(
            f"{owner}: {source!r} says more than a check can: numbers, yes-or-no fields, `true` and `false` with `==`, "
            "`!=`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*`, `&&`, `||`, `!` and parentheses"
        ) from error
    joined = root.values if isinstance(root, ast.BoolOp) and isinstance(root.op, ast.And) else [root]
    return tuple(
        Part(
            one,
            fields,
            frozenset(name.id for name in ast.walk(one) if isinstance(name, ast.Name)) - set(_WORDS),
        )
        for one in joined
    )


class _NotTranslatedError(Exception):
    """A part of CEL that checks do without."""


def _node(tree: ast.expr, fields: Mapping[str, Field], slots: Mapping[str, int]) -> Node:
    """Return what works out *tree*.

    Raises:
        _NotTranslatedError: It holds what checks do without.
    """

    def inner(one: ast.expr) -> Node:
        return _node(one, fields, slots)

    match tree:
        case ast.Constant() | ast.Name():
            return _leaf(tree, fields, slots)
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            return _binary(operator.xor, inner(operand), lambda _: True)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _binary(operator.sub, lambda _: 0.0, inner(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SUMS:
            return _binary(_SUMS[type(op)], inner(left), inner(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            return _binary(_COMPARISONS[type(op)], inner(left), inner(right))
        case ast.BoolOp(op=op, values=values):
            join = operator.and_ if isinstance(op, ast.And) else operator.or_
            return functools.reduce(functools.partial(_binary, join), map(inner, values))
    raise _NotTranslatedError


def _leaf(tree: ast.Constant | ast.Name, fields: Mapping[str, Field], slots: Mapping[str, int]) -> Node:
    """Return what gives a number, `true`, `false` or the value of a field.

    Raises:
        _NotTranslatedError: It is a text or null.
    """
    value = tree.value if isinstance(tree, ast.Constant) else _WORDS.get(tree.id)
    if isinstance(value, bool | int | float):
        return lambda _: value
    if isinstance(tree, ast.Constant) or tree.id not in slots:
        raise _NotTranslatedError
    slot = slots[tree.id]
    # A yes-or-no feature of the matrix is 0 or 1, and neither where it is missing.
    return (lambda v: v[slot] == 1.0) if fields[tree.id].kind == "bool" else operator.itemgetter(slot)


def _binary(function: Callable[[Any, Any], Any], left: Node, right: Node) -> Node:
    return lambda v: function(left(v), right(v))
