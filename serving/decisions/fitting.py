"""Whether an action fits the account right now, by the catalogue's own conditions and by what the account has said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.decisions.decision import Refusal, utc_text
from serving.decisions.policy.stages import CONDITIONS_STAGE

if TYPE_CHECKING:
    from serving.decisions.catalogue import Action
    from serving.decisions.frame import DecisionFrame


def rejected(frame: DecisionFrame, action: Action) -> Refusal | None:
    """Return that the account has rejected *action* lately, or None."""
    until = frame.rejected.get(action.key)
    if until is None or until <= frame.now:
        return None
    text = f"The account rejected it; it is not proposed again before {utc_text(until)}"
    return Refusal(action.key, CONDITIONS_STAGE, "rejected_recently", text)


def unmet_condition(frame: DecisionFrame, action: Action) -> Refusal | None:
    """Return why the catalogue's own conditions of *action* (a limit that is near, risk) don't hold, or None."""
    for condition in action.requires.all:
        value = frame.number(condition.feature)
        if not condition.holds(value):
            shown = "not known" if value is None else f"{value:.4g}"
            return Refusal(action.key, CONDITIONS_STAGE, "condition", f"Needs {condition}; it is {shown}")
    if action.requires.any and not any(
        condition.holds(frame.number(condition.feature)) for condition in action.requires.any
    ):
        wanted = ", or ".join(str(condition) for condition in action.requires.any)
        return Refusal(action.key, CONDITIONS_STAGE, "condition", f"Needs {wanted}")
    return None
