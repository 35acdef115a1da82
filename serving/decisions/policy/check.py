"""How a policy stands to one account and to each action: values, read when a rule asks for them, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.decisions.decision import Refusal
from serving.decisions.policy.action_view import ActionView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.field import Field, Value
    from serving.decisions.policy.rules import CompiledRule

PLAIN_FROM: Final = 1000.0
"""From here on a number is written out in full in a sentence."""


class Entry:
    """An action of a catalogue: the rules that cover it, in the order of the stages, and its own values.

    Attributes:
        action: The action.
        rules: The rules that cover it.
        values: Values of the fields that some rule reads and that no account changes.
    """

    __slots__ = ("_within", "action", "rules", "values")

    def __init__(self, action: Action, rules: tuple[CompiledRule, ...], values: dict[str, Value]) -> None:
        self.action = action
        self.rules = rules
        self.values = values
        self._within: dict[tuple[str, ...], tuple[CompiledRule, ...]] = {}

    def within(self, stages: tuple[str, ...]) -> tuple[CompiledRule, ...]:
        """Return the rules of *stages*."""
        found = self._within.get(stages)
        if found is None:
            found = self._within[stages] = tuple(rule for rule in self.rules if rule.rule.stage in stages)
        return found


class _Values(dict[str, "Value"]):
    """Values of fields for one action, each read when it is first asked for.

    Most candidates fall by the first few rules and never come to prices or words. What is read of the account is there
    for the next action.
    """

    __slots__ = ("_fields", "_of_account", "_view")

    def __init__(
        self,
        of_account: dict[str, Value],
        of_entry: Mapping[str, Value],
        fields: Mapping[str, Field],
        view: ActionView,
    ) -> None:
        super().__init__(of_account)
        self.update(of_entry)
        self._of_account = of_account
        self._fields = fields
        self._view = view

    def __missing__(self, name: str) -> Value:
        field, view = self._fields[name], self._view
        value: Value = None
        if field.of_action is not None:
            value = field.of_action(view)
        elif field.of_frame is not None:
            value = self._of_account[name] = field.of_frame(view.frame, view.catalogue)
        elif field.of_entry is not None:
            value = field.of_entry(view.action)
        self[name] = value
        return value


class PolicyCheck:
    """A policy's view of one frame."""

    __slots__ = ("_catalogue", "_entry_of", "_fields", "_frame", "_values")

    def __init__(
        self,
        frame: DecisionFrame,
        catalogue: Catalogue,
        fields: Mapping[str, Field],
        entry_of: Callable[[Action], Entry],
    ) -> None:
        self._entry_of = entry_of
        self._fields = fields
        self._frame = frame
        self._catalogue = catalogue
        self._values: dict[str, Value] = {}

    def about(self, action: Action) -> ActionCheck:
        """Return what the policy says of *action*."""
        entry, view = self._entry_of(action), ActionView(self._frame, self._catalogue, action)
        return ActionCheck(entry, _Values(self._values, entry.values, self._fields, view))


class ActionCheck:
    """A policy's view of one action for one frame."""

    __slots__ = ("_entry", "_values")

    def __init__(self, entry: Entry, values: Mapping[str, Value]) -> None:
        self._entry = entry
        self._values = values

    def value(self, name: str) -> Value:
        """Return the value of field *name*, which rules of this policy may read."""
        return self._values[name]

    def first_fault(self, stages: tuple[str, ...]) -> Refusal | None:
        """Return where the action falls within *stages*, or None if it passes them."""
        values = self._values
        for compiled in self._entry.within(stages):
            key = compiled.expression.pick(values)
            if key in compiled.passed:
                continue
            refusal = self._refusal(compiled)
            if refusal is not None:
                return refusal
            compiled.remember(key)
        return None

    def faults(self, stages: tuple[str, ...]) -> Iterator[Refusal]:
        """Yield how the action falls by each rule within *stages* that it does not pass, in order."""
        for compiled in self._entry.within(stages):
            refusal = self._refusal(compiled)
            if refusal is not None:
                yield refusal

    def _refusal(self, compiled: CompiledRule) -> Refusal | None:
        rule, values, key = compiled.rule, self._values, self._entry.action.key
        for name in compiled.needed:
            if values[name] is None:
                code, text = f"{rule.id}_unknown", f"Not known, and needed: {name}"
                if rule.missing is not None:
                    code, text = rule.missing.reason_code, rule.missing.text
                return Refusal(key, rule.stage, code, text, rule.id)
        if compiled.expression.holds(values):
            return None
        text = rule.text.format_map({name: shown(values[name]) for name in compiled.shown})
        return Refusal(key, rule.stage, rule.reason_code, text, rule.id)


def shown(value: Value) -> str:
    """Return *value* for a sentence."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < PLAIN_FROM else f"{value:.2f}".removesuffix(".00")
    return ", ".join(value) if isinstance(value, tuple) else value
