"""A policy ready to run: for a frame and an action, the first rule by which the action falls."""

from __future__ import annotations

import string
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.decisions.decision import Refusal
from serving.decisions.policy.expressions import Expression
from serving.decisions.policy.action_view import ActionView
from serving.decisions.policy.sections import REGION_RULE, BoundSections, SectionRule, section_rules
from serving.decisions.policy.stages import RULE_STAGES
from serving.errors import PolicyError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.cover import Cover
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.document import PolicyDocument, Rule
    from serving.decisions.policy.field import Field, Value


MOST_ENTRIES: Final = 4096
"""Actions of which what no account changes is remembered; a catalogue has far fewer."""
PLAIN_FROM: Final = 1000.0
"""From here on a number is written out in full in a sentence."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its expression.

    Attributes:
        rule: As it was written.
        expression: Its `require`.
        needed: Fields without which it can't be told whether it is kept.
        shown: Fields that its sentence shows.
        only_if: A field of the account; where it is empty, the rule is kept without a look. None for most rules.
    """

    rule: Rule
    expression: Expression
    needed: tuple[str, ...]
    shown: tuple[str, ...]
    only_if: str | None = None


class Policy:
    """A policy that was compiled against the fields of a bundle's contract."""

    def __init__(self, document: PolicyDocument, fields: Mapping[str, Field]) -> None:
        """Compile *document*.

        Raises:
            PolicyError: A rule is wrong; every fault is named.
        """
        self.document = document
        self.name = document.name
        self.hash = document.hash
        self.holdouts = document.holdouts
        self.arms = document.arms
        self._sections = BoundSections(document)
        self.fields = {**fields, **{field.name: field for field in self._sections.fields()}}
        every = _every_rule(document)
        faults = [
            f"policy {document.name!r}: the id {name!r} is given twice"
            for name, times in Counter([*(one.rule.id for one in every), *(cap.id for cap in document.caps)]).items()
            if times > 1
        ]
        rules: list[CompiledRule] = []
        for one in every:
            try:
                rules.append(_compiled(one, self.fields, document.name))
            except PolicyError as error:
                faults.append(str(error))
        if faults:
            raise PolicyError("; ".join(faults))
        self.rules = tuple(rules)
        self._safer = {one.rule.id: one.rule.safer_alternative for one in rules}
        used = {name for rule in rules for name in rule.expression.names}
        used |= {rule.only_if for rule in rules if rule.only_if is not None}
        self._of_frame = [field for name in sorted(used) if (field := self.fields[name]).of_frame]
        self._of_entry = [field for name in sorted(used) if (field := self.fields[name]).of_entry]
        self._entries: dict[int, _Entry] = {}

    def about(self, frame: DecisionFrame, catalogue: Catalogue) -> PolicyCheck:
        """Return the policy as it stands to one account at one time."""
        values = {field.name: field.of_frame(frame, catalogue) for field in self._of_frame if field.of_frame}
        return PolicyCheck(self, frame, catalogue, values)

    def covering(self, action: Action) -> tuple[CompiledRule, ...]:
        """Return the rules that cover *action*, in the order of the stages."""
        return self.entry(action).rules

    def entry(self, action: Action) -> _Entry:
        """Return what of *action* is the same for every account; worked out once for each object."""
        found = self._entries.get(id(action))
        if found is None or found.action is not action:
            if len(self._entries) >= MOST_ENTRIES:
                self._entries.clear()
            covering = tuple(rule for rule in self.rules if rule.rule.covers.covers(action))
            values = {field.name: field.of_entry(action) for field in self._of_entry if field.of_entry}
            found = self._entries[id(action)] = _Entry(action, covering, values)
        return found

    def changes_at(self, frame: DecisionFrame, action: Action) -> dt.datetime | None:
        """Return when what release windows and contracts say of *action* changes next for the account; or None."""
        return self._sections.changes_at(frame, action)

    def heeds_quiet_hours(self, action: Action) -> bool:
        """Return whether a rule that covers *action* looks at the account's quiet hours."""
        return any("in_quiet_hours" in rule.expression.names for rule in self.covering(action))

    def require_actions(self, catalogue: Catalogue) -> None:
        """Insist that every action that a rule names, and every programme held out of, is in *catalogue*.

        Raises:
            PolicyError: With every rule and action that does not fit.
        """
        known = {action.key for action in catalogue.actions}
        programmes = {action.playbook for action in catalogue.actions}
        faults = [
            f"the holdouts name programme {programme!r}"
            for programme in self.holdouts.programmes
            if programme not in programmes
        ]
        faults += [
            f"rule {compiled.rule.id!r} names action {key!r}"
            for compiled in self.rules
            for cover in (compiled.rule.covers, compiled.rule.safer_alternative)
            if cover is not None
            for key in cover.actions
            if key not in known
        ]
        faults += [
            f"cap {cap.id!r} names action {key!r}"
            for cap in self.document.caps
            for key in cap.covers.actions
            if key not in known
        ]
        if faults:
            raise PolicyError(
                f"policy {self.name!r}: {'; '.join(faults)}, which catalogue {catalogue.name!r} lacks"
            )

    def safer_alternatives(self, rule_id: str) -> Cover | None:
        """Return which actions rule *rule_id* points to instead of what it refuses."""
        return self._safer.get(rule_id)


class _Entry:
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
    """Values of fields for one action; what takes work is read when it is first asked for.

    Most candidates fall by the first few rules and never come to prices or words.
    """

    __slots__ = ("_fields", "_view")

    def __init__(self, known: Mapping[str, Value], fields: Mapping[str, Field], view: ActionView) -> None:
        super().__init__(known)
        self._fields = fields
        self._view = view

    def __missing__(self, name: str) -> Value:
        field, view = self._fields[name], self._view
        value: Value = None
        if field.of_action is not None:
            value = field.of_action(view)
        elif field.of_frame is not None:
            value = field.of_frame(view.frame, view.catalogue)
        elif field.of_entry is not None:
            value = field.of_entry(view.action)
        self[name] = value
        return value


class PolicyCheck:
    """A policy's view of one frame."""

    __slots__ = ("_catalogue", "_frame", "_policy", "_values")

    def __init__(
        self, policy: Policy, frame: DecisionFrame, catalogue: Catalogue, values: dict[str, Value]
    ) -> None:
        self._policy = policy
        self._frame = frame
        self._catalogue = catalogue
        self._values = values

    def about(self, action: Action) -> ActionCheck:
        """Return what the policy says of *action*."""
        entry, view = self._policy.entry(action), ActionView(self._frame, self._catalogue, action)
        return ActionCheck(entry, _Values(self._values | entry.values, self._policy.fields, view))


class ActionCheck:
    """A policy's view of one action for one frame."""

    __slots__ = ("_entry", "_values")

    def __init__(self, entry: _Entry, values: Mapping[str, Value]) -> None:
        self._entry = entry
        self._values = values

    def value(self, name: str) -> Value:
        """Return the value of field *name*, which rules of this policy may read."""
        return self._values[name]

    def first_fault(self, stages: tuple[str, ...]) -> Refusal | None:
        """Return where the action falls within *stages*, or None if it passes them."""
        for compiled in self._entry.within(stages):
            refusal = self._refusal(compiled)
            if refusal is not None:
                return refusal
        return None

    def faults(self, stages: tuple[str, ...]) -> Iterator[Refusal]:
        """Yield how the action falls by each rule within *stages* that it does not pass, in order."""
        for compiled in self._entry.within(stages):
            refusal = self._refusal(compiled)
            if refusal is not None:
                yield refusal

    def _refusal(self, compiled: CompiledRule) -> Refusal | None:
        rule, values, key = compiled.rule, self._values, self._entry.action.key
        if compiled.only_if is not None and not values[compiled.only_if]:
            return None
        for name in compiled.needed:
            if values[name] is None:
                code, text = f"{rule.id}_unknown", f"Not known, and needed: {name}"
                if rule.missing is not None:
                    code, text = rule.missing.reason_code, rule.missing.text
                return Refusal(key, rule.stage, code, text, rule.id)
        if compiled.expression.holds(values):
            return None
        text = rule.text.format_map({name: _shown(values[name]) for name in compiled.shown})
        return Refusal(key, rule.stage, rule.reason_code, text, rule.id)


def _every_rule(document: PolicyDocument) -> list[SectionRule]:
    """Return all rules in the order in which they are looked at: of a stage the policy's own first, then its sections'."""
    of_sections = list(section_rules(document))
    pinned = [one for one in of_sections if one.rule.id == REGION_RULE]
    others = [one for one in of_sections if one.rule.id != REGION_RULE]
    every = [*pinned, *(SectionRule(rule) for rule in document.rules), *others]
    return sorted(every, key=lambda one: RULE_STAGES.index(one.rule.stage))


def _compiled(one: SectionRule, fields: Mapping[str, Field], policy: str) -> CompiledRule:
    rule = one.rule
    owner = f"policy {policy!r}, rule {rule.id!r}"
    expression = Expression(rule.require, owner, fields)
    stray = [name for name in rule.may_be_missing if name not in expression.names]
    if stray:
        raise PolicyError(
            f"{owner}: may_be_missing names {', '.join(stray)}, which the expression does not read"
        )
    expression.require_types(owner, fields, rule.may_be_missing)
    return CompiledRule(
        rule=rule,
        expression=expression,
        needed=tuple(name for name in expression.names if name not in rule.may_be_missing),
        shown=_placeholders(rule.text, owner, fields),
        only_if=one.only_if,
    )


def _placeholders(text: str, owner: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise PolicyError(f"{owner}: text {text!r}: {error}") from error
    names = [name for _, name, _, _ in parts if name is not None]
    wrong = [name for name in names if name not in fields]
    if wrong or any(spec or conversion for _, _, spec, conversion in parts):
        raise PolicyError(
            f"{owner}: text {text!r} may hold `{{field}}` only; wrong: {', '.join(wrong) or text}"
        )
    return tuple(names)


def _shown(value: Value) -> str:
    """Return *value* for a sentence."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < PLAIN_FROM else f"{value:.2f}".removesuffix(".00")
    return ", ".join(value) if isinstance(value, tuple) else value
