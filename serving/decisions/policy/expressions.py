"""Expressions of rules: compiled once, checked against the fields' types before anything is decided with them.

The language is CEL (Common Expression Language): it can't loop without end, call out or change anything. The
library does not check types, so an expression is tried on many values of its fields' types, among them those
that it names itself; whatever does not come out as true or false is an error now and not in front of an account.
"""

from __future__ import annotations

import itertools
import operator
import random
import re
from typing import TYPE_CHECKING, Any, Final

from serving.decisions.policy.cel_library import compile_cel
from serving.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serving.decisions.policy.field import Field, Value

ALLOWED_FUNCTIONS: Final = frozenset(
    {
        "_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_?_:_", "@in", "_+_", "_-_", "_*_",
        "_/_", "-_", "size", "startsWith", "endsWith",
    }
)  # fmt: skip
"""What an expression may do; each takes bounded time."""

TRIALS: Final = 200
MEMORY: Final = 4096
"""Answers that an expression remembers; what it reads is mostly the same few values."""
_NUMBER: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_TEXT: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")


class Expression:
    """A compiled expression over named fields.

    Attributes:
        source: As it was written.
        names: The fields that it reads, in alphabetical order.
        pick: Picks their values out of all; equal picks have equal answers.
    """

    __slots__ = ("_known", "_program", "names", "pick", "source")

    def __init__(self, source: str, owner: str, fields: Mapping[str, Field]) -> None:
        """Compile *source*; *owner* names it in errors.

        Raises:
            PolicyError: It can't be parsed, reads something that is no field, or does what is not allowed.
        """
        try:
            self._program: Any = compile_cel(source)
        except ValueError as error:
            raise PolicyError(f"{owner}: {source!r} is not an expression: {error}") from error
        self.source = source
        self._known: dict[Any, bool] = {}
        self.names: tuple[str, ...] = tuple(self._program.variables())
        self.pick: Callable[[Any], Any] = operator.itemgetter(*self.names) if self.names else _nothing
        unknown = [name for name in self.names if name not in fields]
        if unknown:
            raise PolicyError(f"{owner}: no such field: {', '.join(unknown)}, in {source!r}")
        refused = sorted(set(self._program.functions()) - ALLOWED_FUNCTIONS)
        if refused:
            raise PolicyError(f"{owner}: not allowed in a rule: {', '.join(refused)}, in {source!r}")

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Return whether the expression is true for *values* of its fields; an error in it is no."""
        key = self.pick(values)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MEMORY:
                self._known.clear()
            known = self._known[key] = self._evaluated({name: values[name] for name in self.names})
        return known

    def _evaluated(self, values: dict[str, Value]) -> bool:
        try:
            return self._program.execute(values) is True
        except (TypeError, ValueError, RuntimeError, ArithmeticError):
            return False

    def require_types(self, owner: str, fields: Mapping[str, Field], may_be_missing: Sequence[str]) -> None:
        """Insist that the expression is true or false for values of its fields' types.

        Args:
            owner: Names the expression in errors.
            fields: Kinds of the fields.
            may_be_missing: Fields that are tried with null as well.

        Raises:
            PolicyError: For some values it is neither; the message gives them.
        """
        choices = [_samples(fields[name], self.source, null=name in may_be_missing) for name in self.names]
        every = itertools.product(*choices)
        some = list(itertools.islice(every, TRIALS))
        chance = random.Random(0)
        some += [tuple(chance.choice(values) for values in choices) for _ in range(TRIALS)]
        for values in some:
            context = dict(zip(self.names, values, strict=True))
            try:
                result = self._program.execute(context)
            except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
                raise PolicyError(
                    f"{owner}: {self.source!r} fails for {context}: {str(error).split('. ')[0]}"
                ) from error
            if not isinstance(result, bool):
                raise PolicyError(
                    f"{owner}: {self.source!r} is {result!r} for {context}, and should be true or false"
                )


def _nothing(_values: Any) -> None:  # noqa: ANN401 -- as an itemgetter
    """Pick nothing: the expression reads no field."""


def _samples(field: Field, source: str, *, null: bool) -> list[Value]:
    texts = ["", *(first or second for first, second in _TEXT.findall(source))]
    values: list[Value]
    if field.kind == "bool":
        values = [True, False]
    elif field.kind == "number":
        numbers = [float(text) for text in _NUMBER.findall(source)]
        values = [0.5, -1.0, *(number + by for number in numbers for by in (0.0, 1.0))]
    elif field.kind == "text":
        values = list(texts)
    else:
        values = [(), tuple(texts)]
    return [*values, None] if null else values
