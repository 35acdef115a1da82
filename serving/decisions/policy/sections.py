"""Sections of a policy that are looked at as rules: exceptions, release windows, regions.

Each entry becomes a rule with the entry's id, so that decisions, receipts and `keepgrow policy explain` show it as they
show any other; what such a rule reads are fields that know the policy's own sections.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from serving.decisions.policy.document import Missing, PolicyDocument, Rule
from serving.decisions.policy.exceptions import ExceptionBook
from serving.decisions.policy.field import Field

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from serving.decisions.catalogue import Action, Catalogue
    from serving.decisions.frame import DecisionFrame
    from serving.decisions.policy.action_view import ActionView
    from serving.decisions.policy.field import Value
    from serving.decisions.policy.release import ReleaseWindow

FORBIDDEN: Final = "contract_forbids"
CLOSED: Final = "closed_windows"
MOST_OFF: Final = "contract_discount_max"
REGION_RULE: Final = "region_pinned"


def section_rules(document: PolicyDocument) -> Iterator[Rule]:
    """Yield a rule for each entry of the sections of *document*."""
    if document.regions.allowed:
        yield Rule(
            id=REGION_RULE,
            stage="identity_and_freshness",
            require=f"account_region in {json.dumps(list(document.regions.allowed))}",
            reason_code="region_not_allowed",
            text="Nothing is decided here about accounts in {account_region}",
            missing=Missing(
                reason_code="region_unknown",
                text="Only accounts of some regions are decided about here, and the account's is not known",
            ),
        )
    for window in document.release_windows:
        yield Rule(
            id=window.id,
            stage="contact_policy",
            covers=window.covers,
            require=f"!('{window.id}' in {CLOSED})",
            reason_code="outside_release_window",
            text=f"It is not the time for it to go out; the next time is: {{{opens_field(window.id)}}}",
        )
    for one in document.exceptions:
        if one.forbid:
            yield Rule(
                id=one.id,
                stage="commercial_policy",
                covers=one.covers,
                require=f"!('{one.id}' in {FORBIDDEN})",
                reason_code="contract_exception",
                text=one.sentence.replace("{", "{{").replace("}", "}}"),
            )


def opens_field(window: str) -> str:
    """Return the name of the field that tells when release window *window* opens next."""
    return f"{window}_opens_at"


class BoundSections:
    """The sections of one policy as fields, and when what they say changes next."""

    def __init__(self, document: PolicyDocument) -> None:
        self._windows = document.release_windows
        self._book = ExceptionBook(document.exceptions)

    def fields(self) -> Iterator[Field]:
        """Yield the fields that read the sections."""
        yield Field(FORBIDDEN, "texts", DESCRIPTIONS[FORBIDDEN], of_frame=self._forbidden)
        yield Field(CLOSED, "texts", DESCRIPTIONS[CLOSED], of_frame=self._closed)
        yield Field(MOST_OFF, "number", DESCRIPTIONS[MOST_OFF], of_action=self._most_off)
        for window in self._windows:

            def opens(frame: DecisionFrame, _catalogue: Catalogue, window: ReleaseWindow = window) -> Value:
                time = window.opens_at(frame)
                return None if time is None else time.isoformat(timespec="minutes")

            yield Field(opens_field(window.id), "text", "When the release window opens next.", of_frame=opens)

    def changes_at(self, frame: DecisionFrame, action: Action) -> dt.datetime | None:
        """Return when a release window of *action* closes, or an exception of the account begins or ends; or None."""
        times = [one.closes_at(frame) for one in self._windows if one.covers.covers(action)]
        times += self._book.next_change(frame)
        return min((time for time in times if time is not None), default=None)

    def _forbidden(self, frame: DecisionFrame, _catalogue: Catalogue) -> tuple[str, ...]:
        return self._book.forbidding(frame)

    def _closed(self, frame: DecisionFrame, _catalogue: Catalogue) -> tuple[str, ...]:
        return tuple(window.id for window in self._windows if not window.is_open(frame))

    def _most_off(self, view: ActionView) -> float | None:
        return self._book.discount_max(view.frame, view.action)


DESCRIPTIONS: Final = {
    FORBIDDEN: "Exceptions of the policy that forbid the account something now.",
    CLOSED: "Release windows of the policy that are closed now.",
    MOST_OFF: "The most that the action may take off by the account's contract; null if no contract says.",
}
"""What the fields of the sections are, for people."""
UNBOUND: Final = (
    Field(FORBIDDEN, "texts", DESCRIPTIONS[FORBIDDEN], of_frame=lambda _frame, _catalogue: ()),
    Field(CLOSED, "texts", DESCRIPTIONS[CLOSED], of_frame=lambda _frame, _catalogue: ()),
    Field(MOST_OFF, "number", DESCRIPTIONS[MOST_OFF], of_action=lambda _view: None),
)
"""The same for a policy without sections; a policy puts its own in their place."""
