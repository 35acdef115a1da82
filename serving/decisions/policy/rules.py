"""Rules made ready to run: compiled once, against the fields that they may speak of."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from serving.decisions.policy.expressions import MEMORY, Expression
from serving.decisions.policy.sections import REGION_RULE, section_rules
from serving.decisions.policy.stages import RULE_STAGES
from serving.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.decisions.policy.document import PolicyDocument, Rule
    from serving.decisions.policy.field import Field


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its expression.

    Attributes:
        rule: As it was written.
        expression: Its `require`.
        needed: Fields without which it can't be told whether it is kept.
        shown: Fields that its sentence shows.
        passed: Values of the expression's fields, as `expression.pick` gives them, for which the rule is known to be
            kept; what rules read is mostly the same few values.
    """

    rule: Rule
    expression: Expression
    needed: tuple[str, ...]
    shown: tuple[str, ...]
    passed: set[Any] = field(default_factory=set, compare=False)

    def remember(self, key: Any) -> None:  # noqa: ANN401 -- a value, or a tuple of them
        """Remember that the rule is kept for the values *key*."""
        if len(self.passed) >= MEMORY:
            self.passed.clear()
        self.passed.add(key)


def every_rule(document: PolicyDocument) -> list[Rule]:
    """Return all rules of *document* in the order in which they are looked at.

    Within a stage these are the policy's own, then those of its sections; region pinning goes before all.
    """
    of_sections = list(section_rules(document))
    pinned = [one for one in of_sections if one.id == REGION_RULE]
    others = [one for one in of_sections if one.id != REGION_RULE]
    every = [*pinned, *document.rules, *others]
    return sorted(every, key=lambda one: RULE_STAGES.index(one.stage))


def compiled_rule(rule: Rule, fields: Mapping[str, Field], policy: str) -> CompiledRule:
    """Return *rule* compiled against *fields*; *policy* names it in errors.

    Raises:
        PolicyError: The expression or the sentence is wrong, or fits its fields' types not always.
    """
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
