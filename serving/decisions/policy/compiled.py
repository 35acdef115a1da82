"""A policy ready to run: for a frame and an action, the first rule by which the action falls."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.decisions.decision import Refusal
from serving.decisions.policy.expressions import Expression
from serving.decisions.policy.stages import RULE_STAGES
from serving.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.cover import Cover
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.document import PolicyDocument, Rule
    from serving.decisions.policy.fields import Field, Value


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its expression.

    Attributes:
        rule: As it was written.
        expression: Its `require`.
        needed: Fields without which it can't be told whether it is kept.
        shown: Fields that its sentence shows.
    """

    rule: Rule
    expression: Expression
    needed: tuple[str, ...]
    shown: tuple[str, ...]


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
        faults: list[str] = []
        rules: list[CompiledRule] = []
        for rule in sorted(document.rules, key=lambda rule: RULE_STAGES.index(rule.stage)):
            try:
                rules.append(_compiled(rule, fields, document.name))
            except PolicyError as error:
                faults.append(str(error))
        if faults:
            raise PolicyError("; ".join(faults))
        self.rules = tuple(rules)
        self._safer = {one.rule.id: one.rule.safer_alternative for one in rules}
        used = {name for rule in rules for name in (*rule.expression.names, *rule.shown)}
        self._of_frame = [field for name in sorted(used) if (field := fields[name]).of_frame]
        self._of_action = [field for name in sorted(used) if (field := fields[name]).of_action]
        self._covering: dict[tuple[str, str, str], tuple[CompiledRule, ...]] = {}

    def about(self, frame: DecisionFrame, catalogue: Catalogue) -> PolicyCheck:
        """Return the policy as it stands to one account at one time."""
        values = {field.name: field.of_frame(frame, catalogue) for field in self._of_frame if field.of_frame}
        return PolicyCheck(self, frame, values)

    def action_values(self, frame: DecisionFrame, action: Action) -> dict[str, Value]:
        """Return the values of the fields of *action* that some rule reads."""
        return {field.name: field.of_action(frame, action) for field in self._of_action if field.of_action}

    def covering(self, action: Action) -> tuple[CompiledRule, ...]:
        """Return the rules that cover *action*, in the order of the stages."""
        identity = (action.key, action.type, action.channel)  # all that a cover looks at
        found = self._covering.get(identity)
        if found is None:
            found = tuple(rule for rule in self.rules if rule.rule.covers.covers(action))
            self._covering[identity] = found
        return found

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


class PolicyCheck:
    """A policy's view of one frame."""

    __slots__ = ("_frame", "_policy", "_values")

    def __init__(self, policy: Policy, frame: DecisionFrame, values: dict[str, Value]) -> None:
        self._policy = policy
        self._frame = frame
        self._values = values

    def about(self, action: Action) -> ActionCheck:
        """Return what the policy says of *action*."""
        values = {**self._values, **self._policy.action_values(self._frame, action)}
        return ActionCheck(self._policy.covering(action), action, values)


class ActionCheck:
    """A policy's view of one action for one frame."""

    __slots__ = ("_action", "_rules", "_values")

    def __init__(self, rules: Sequence[CompiledRule], action: Action, values: Mapping[str, Value]) -> None:
        self._rules = rules
        self._action = action
        self._values = values

    def first_fault(self, stages: Container[str]) -> Refusal | None:
        """Return where the action falls within *stages*, or None if it passes them."""
        return next(self.faults(stages), None)

    def faults(self, stages: Container[str]) -> Iterator[Refusal]:
        """Yield how the action falls by each rule within *stages* that it does not pass, in order."""
        for compiled in self._rules:
            if compiled.rule.stage in stages:
                refusal = self._refusal(compiled)
                if refusal is not None:
                    yield refusal

    def _refusal(self, compiled: CompiledRule) -> Refusal | None:
        rule, values, key = compiled.rule, self._values, self._action.key
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


def _compiled(rule: Rule, fields: Mapping[str, Field], policy: str) -> CompiledRule:
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
        return f"{value:.4g}"
    return ", ".join(value) if isinstance(value, tuple) else value
