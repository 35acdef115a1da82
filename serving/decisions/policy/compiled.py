"""A policy ready to run: for a frame and an action, the first rule by which the action falls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from serving.decisions.caps import CapUses
from serving.decisions.policy.check import ActionCheck, Entry, PolicyCheck
from serving.decisions.policy.rules import CompiledRule, compiled_rule, every_rule
from serving.decisions.policy.sections import BoundSections
from serving.errors import PolicyError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.cover import Cover
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.document import PolicyDocument
    from serving.decisions.policy.field import Field

__all__ = ["ActionCheck", "CompiledRule", "Policy", "PolicyCheck"]

MOST_ENTRIES: Final = 4096
"""Actions of which what no account changes is remembered; a catalogue has far fewer."""


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
        self.cap_uses = CapUses(document.caps)
        self._sections = BoundSections(document)
        self.fields = {**fields, **{field.name: field for field in self._sections.fields()}}
        every = every_rule(document)
        faults = [
            f"policy {document.name!r}: the id {name!r} is given twice"
            for name, times in Counter(
                [*(one.id for one in every), *(cap.id for cap in document.caps)]
            ).items()
            if times > 1
        ]
        rules: list[CompiledRule] = []
        for one in every:
            try:
                rules.append(compiled_rule(one, self.fields, document.name))
            except PolicyError as error:
                faults.append(str(error))
        if faults:
            raise PolicyError("; ".join(faults))
        self.rules = tuple(rules)
        self._safer = {one.rule.id: one.rule.safer_alternative for one in rules}
        used = {name for rule in rules for name in rule.expression.names}
        self._of_entry = [field for name in sorted(used) if (field := self.fields[name]).of_entry]
        self._entries: dict[int, Entry] = {}

    def about(self, frame: DecisionFrame, catalogue: Catalogue) -> PolicyCheck:
        """Return the policy as it stands to one account at one time."""
        return PolicyCheck(frame, catalogue, self.fields, self.entry)

    def covering(self, action: Action) -> tuple[CompiledRule, ...]:
        """Return the rules that cover *action*, in the order of the stages."""
        return self.entry(action).rules

    def entry(self, action: Action) -> Entry:
        """Return what of *action* is the same for every account; worked out once for each object."""
        found = self._entries.get(id(action))
        if found is None or found.action is not action:
            if len(self._entries) >= MOST_ENTRIES:
                self._entries.clear()
            covering = tuple(rule for rule in self.rules if rule.rule.covers.covers(action))
            values = {field.name: field.of_entry(action) for field in self._of_entry if field.of_entry}
            found = self._entries[id(action)] = Entry(action, covering, values)
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
        faults += [
            f"autonomy names action {key!r}" for key in self.document.autonomy.actions if key not in known
        ]
        if faults:
            raise PolicyError(
                f"policy {self.name!r}: {'; '.join(faults)}, which catalogue {catalogue.name!r} lacks"
            )

    def safer_alternatives(self, rule_id: str) -> Cover | None:
        """Return which actions rule *rule_id* points to instead of what it refuses."""
        return self._safer.get(rule_id)
