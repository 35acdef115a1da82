"""Conditions on an account, compiled and checked against the types of its fields; and triggers, which fire by them."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.decisions.policy.check import shown
from serving.decisions.policy.expressions import Expression
from serving.decisions.policy.fields import Field
from serving.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.decisions.policy.fields import Value
    from serving.triggers.document import Playbook, Trigger

LIFECYCLE_STAGE: Final = "lifecycle_stage"
NO_STAGE: Final = "none"
STAGE_FIELD: Final = Field(
    LIFECYCLE_STAGE, "text", "The first stage of life whose condition holds, or `none`."
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on an account.

    Attributes:
        expression: What must be true.
        needed: Fields without which that can't be told.
    """

    expression: Expression
    needed: tuple[str, ...]

    @classmethod
    def of(
        cls, source: str, owner: str, fields: Mapping[str, Field], may_be_missing: Sequence[str]
    ) -> Condition:
        """Compile *source* and check it against the types of *fields*.

        Raises:
            PolicyError: It can't be used; *owner* is named.
        """
        expression = Expression(source, owner, fields)
        stray = [name for name in may_be_missing if name not in expression.names]
        if stray:
            raise PolicyError(
                f"{owner}: may_be_missing names {', '.join(stray)}, which the expression does not read"
            )
        expression.require_types(owner, fields, may_be_missing)
        return cls(expression, tuple(name for name in expression.names if name not in may_be_missing))

    def unknown(self, values: Mapping[str, Value]) -> str | None:
        """Return a field that is needed and not known, or None."""
        return next((name for name in self.needed if values[name] is None), None)

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Return whether it holds; what is needed and not known is no."""
        return self.unknown(values) is None and self.expression.holds(values)


@dataclass(frozen=True, slots=True)
class CompiledTrigger:
    """A trigger with its condition.

    Attributes:
        trigger: As it was written.
        condition: Its `when`.
        shown: Fields that its sentence shows.
    """

    trigger: Trigger
    condition: Condition
    shown: tuple[str, ...]

    def fires(self, values: Mapping[str, Value]) -> bool:
        """Return whether it fires for an account with these values."""
        stages = self.trigger.stages
        return (not stages or values[LIFECYCLE_STAGE] in stages) and self.condition.holds(values)

    def unknown(self, values: Mapping[str, Value]) -> str | None:
        """Return a field for lack of which it can't fire, or None."""
        return self.condition.unknown(values)

    def read(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return what it and its sentence looked at."""
        return {name: values[name] for name in dict.fromkeys((*self.condition.expression.names, *self.shown))}

    def text(self, values: Mapping[str, Value]) -> str:
        """Return its sentence about an account with these values."""
        return self.trigger.sentence.format_map({name: _shown(values[name]) for name in self.shown})


def account_fields(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return those of *fields* that are known of an account before an action is looked at."""
    return {name: field for name, field in fields.items() if field.of_frame is not None}


def compile_condition(
    source: str, owner: str, fields: Mapping[str, Field], may_be_missing: Sequence[str], faults: list[str]
) -> Condition | None:
    """Return *source* compiled, or None; what is wrong with it is added to *faults*, with its *owner*."""
    try:
        return Condition.of(source, owner, fields, may_be_missing)
    except PolicyError as error:
        faults.append(str(error))
        return None


def compile_trigger(
    trigger: Trigger, owner: str, fields: Mapping[str, Field], faults: list[str]
) -> CompiledTrigger | None:
    """Return *trigger* compiled, or None; what is wrong with it is added to *faults*, with its *owner*."""
    named = f"{owner}, trigger {trigger.id!r}"
    condition = compile_condition(trigger.when, named, fields, trigger.may_be_missing, faults)
    try:
        parts = list(string.Formatter().parse(trigger.sentence))
    except ValueError as error:
        faults.append(f"{named}: sentence {trigger.sentence!r}: {error}")
        return None
    shown = tuple(name for _, name, _, _ in parts if name is not None)
    wrong = [name for name in shown if name not in fields]
    if wrong or any(spec or conversion for _, _, spec, conversion in parts):
        faults.append(
            f"{named}: the sentence may hold `{{field}}` only; wrong: {', '.join(wrong) or trigger.sentence}"
        )
        return None
    return None if condition is None else CompiledTrigger(trigger, condition, shown)


def compile_until(
    playbook: Playbook, owner: str, fields: Mapping[str, Field], faults: list[str]
) -> Condition | None:
    """Return what ends *playbook*, or None if only time does or it can't be used; see `compile_condition`."""
    if playbook.until is None:
        return None
    named = f"{owner}, playbook {playbook.key!r}, until"
    return compile_condition(playbook.until, named, fields, playbook.may_be_missing, faults)


def _shown(value: Value) -> str:
    """Return *value* for a sentence about an account, in which every number is short."""
    return f"{value:.4g}" if isinstance(value, float) else shown(value)
